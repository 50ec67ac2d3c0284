//! The data that the statements read, and unrelated data.

use boxoffice_testkit::postgres::Database;
use tokio_postgres::Client;

/// The data that the statements need, the same in both databases. Show 1 is on sale, show 2 was two years ago, show 3
/// has five bookings.
const NEEDED: &str = "
    INSERT INTO shows (name, start_time, total_seats, max_seats_per_booking, pools, price_minor, currency)
    VALUES ('Now', now() + interval '1 day', 1000000, 10, 16, 500, 'EUR'),
        ('Old', now() - interval '2 years', 1000, 10, 1, NULL, NULL),
        ('Small', now() + interval '2 days', 1000, 10, 1, NULL, NULL);
    UPDATE shows SET creation_key = sha256('made'), creation_request = sha256('body') WHERE id = 1;
    INSERT INTO seat_pools SELECT 1, n, 50000 FROM generate_series(0, 15) AS n;
    INSERT INTO seat_pools VALUES (2, 0, 995), (3, 0, 995);
    INSERT INTO bookings (
        show_id, id, user_name, seats, status, failure_reason, created_at, expires_at, settled_at, holder, amount_minor, currency)
    VALUES (1, '00000000-0000-7000-8000-00000000000a', 'Ada', 1, 'PENDING', NULL, now(), now() + interval '1 hour', NULL,
        'sub:ada', 500, 'EUR');
    INSERT INTO bookings (
        show_id, id, user_name, seats, status, failure_reason, created_at, expires_at, settled_at, holder, amount_minor, currency)
    SELECT 1, ('00000000-0000-7000-8000-0000000000d' || n)::uuid, 'Bob', 1, 'PENDING', NULL, now() - interval '1 hour',
        now() - interval '1 minute', NULL, 'sub:bob', 500, 'EUR'
    FROM generate_series(1, 5) AS n;
    INSERT INTO bookings (
        show_id, id, user_name, seats, status, failure_reason, created_at, expires_at, settled_at, holder, amount_minor, currency)
    VALUES (1, '00000000-0000-7000-8000-0000000000f1', 'Eli', 1, 'FAILED', 'expired', now() - interval '1 hour',
        now() - interval '30 minutes', now() - interval '30 minutes', 'sub:eli', 500, 'EUR');
    INSERT INTO bookings (show_id, id, user_name, seats, status, created_at, expires_at, settled_at, holder)
    SELECT show, ('00000000-0000-7000-8000-00000000' || show || '00' || n)::uuid, 'Cyd', 1, 'CONFIRMED', now() - interval '2 years',
        now() - interval '1 year', now() - interval '1 year', 'sub:cyd'
    FROM generate_series(2, 3) AS show, generate_series(1, 5) AS n;
    INSERT INTO payments (provider, payment_id, show_id, booking_id, state, reason, amount_minor, currency, succeeded_at)
    SELECT 'stripe', 'pi_due_' || n, 1, '00000000-0000-7000-8000-0000000000ff', 'refund_due', 'unknown_booking', 500, 'EUR', now()
    FROM generate_series(1, 5) AS n;
    INSERT INTO payments (provider, payment_id, show_id, booking_id, state, amount_minor, currency, succeeded_at)
    VALUES ('stripe', 'pi_paid', 2, '00000000-0000-7000-8000-000000002001', 'confirmed', 500, 'EUR', now());
    INSERT INTO payments (provider, payment_id, show_id, booking_id, state, amount_minor, currency, succeeded_at, disputed)
    VALUES ('stripe', 'pi_lost', 3, '00000000-0000-7000-8000-000000003001', 'confirmed', 500, 'EUR', now(), true);
    INSERT INTO payment_disputes (provider, payment_id, dispute_id, state, told_at) VALUES ('stripe', 'pi_lost', 'dp_2', 'lost', now());
    INSERT INTO payment_events (provider, event_id, type, payment_id, show_id, booking_id, occurred_at, change, outcome, payload)
    VALUES ('stripe', 'evt_paid', 't', 'pi_paid', 2, '00000000-0000-7000-8000-000000002001', now(), 'succeeded', 'confirmed', '{}');
    INSERT INTO payment_events (provider, event_id, type, occurred_at, received_at, change, outcome, payload)
    SELECT 'stripe', 'evt_unread_' || n, 't', now(), now() - interval '2 years', 'unreadable', 'kept', '{}'
    FROM generate_series(1, 5) AS n";

/// Unrelated data, in proportion to $1. Ids are random, as the last part of booking ids is.
const UNRELATED: &str = "
    -- Shows after the first page, past shows, and past shows that were anonymised; each with a pool.
    INSERT INTO shows (name, start_time, total_seats, max_seats_per_booking, pools)
    SELECT 'Later', now() + make_interval(days => 10, mins => n), 100, 10, 1 FROM generate_series(1, $1 / 10) AS n;
    INSERT INTO shows (name, start_time, total_seats, max_seats_per_booking, pools, anonymised_at)
    SELECT 'Done', now() - make_interval(years => 3, mins => n), 100, 10, 1, now() FROM generate_series(1, $1 / 10) AS n;
    INSERT INTO shows (name, start_time, total_seats, max_seats_per_booking, pools)
    SELECT 'Recent', now() - make_interval(days => 30, mins => n), 100, 10, 1 FROM generate_series(1, $1 / 10) AS n;
    INSERT INTO seat_pools SELECT id, 0, 100 FROM shows WHERE id > 3;
    UPDATE shows SET creation_key = sha256(id::text::bytea), creation_request = sha256('body') WHERE id > 3;
    -- Bookings of other holders of the same show: confirmed, pending, expired and cancelled.
    INSERT INTO bookings (
        show_id, id, user_name, seats, status, failure_reason, created_at, expires_at, settled_at, holder, idempotency_key)
    SELECT 1, gen_random_uuid(), 'Dan', 1, state.status, state.reason, now() - interval '1 day', now() + interval '1 hour',
        CASE state.status WHEN 'PENDING' THEN NULL ELSE now() - interval '2 hours' END, 'sub:dan' || n % 1000, 'key ' || state || n
    FROM generate_series(1, $1) AS n,
        (VALUES ('CONFIRMED', NULL), ('PENDING', NULL), ('FAILED', 'expired'), ('FAILED', 'cancelled')) AS state (status, reason);
    -- Expired bookings of the same holder.
    INSERT INTO bookings (show_id, id, user_name, seats, status, failure_reason, created_at, expires_at, settled_at, holder)
    SELECT 1, gen_random_uuid(), 'Ada', 1, 'FAILED', 'expired', now() - interval '1 day', now() - interval '23 hours',
        now() - interval '23 hours', 'sub:ada'
    FROM generate_series(1, $1 / 10) AS n;
    -- A counted holder with many bookings of the same show.
    INSERT INTO bookings (show_id, id, user_name, seats, status, created_at, expires_at, settled_at, holder)
    SELECT 1, gen_random_uuid(), 'Big', 1, 'CONFIRMED', now() - interval '1 day', now() - interval '23 hours', now(), 'sub:big'
    FROM generate_series(1, $1) AS n;
    SELECT count_holder(1, 'sub:big');
    INSERT INTO holders (show_id, holder) SELECT 4 + n % 50, 'sub:fay' || n FROM generate_series(1, $1) AS n;
    -- Bookings of other shows, by the same holder and by others. Cancelled bookings of shows 2 and 3. Refunded bookings.
    INSERT INTO bookings (show_id, id, user_name, seats, status, created_at, expires_at, settled_at, holder)
    SELECT 4 + n % 50, gen_random_uuid(), 'Ada', 1, 'CONFIRMED', now(), now() + interval '1 hour', now(),
        CASE WHEN n % 10 = 0 THEN 'sub:ada' ELSE 'sub:fay' || n END
    FROM generate_series(1, $1) AS n;
    INSERT INTO bookings (show_id, id, user_name, seats, status, failure_reason, created_at, expires_at, settled_at, anonymised_at)
    SELECT 2 + n % 2, gen_random_uuid(), '(erased)', 1, 'FAILED', 'cancelled', now() - interval '1 day', now(), now(), now()
    FROM generate_series(1, $1) AS n;
    INSERT INTO bookings (show_id, id, user_name, seats, status, failure_reason, created_at, expires_at, settled_at, holder)
    SELECT 4 + n % 50, gen_random_uuid(), 'Gil', 1, 'FAILED', 'refunded', now() - interval '1 day', now(), now(), 'sub:gil' || n
    FROM generate_series(1, $1 / 10) AS n;
    -- Payments of other bookings, in other states. Their events were applied, and their payloads are recent or already empty.
    INSERT INTO payments (provider, payment_id, show_id, booking_id, state, amount_minor, currency, succeeded_at)
    SELECT 'stripe', 'pi_x' || md5(n::text), show_id, id, CASE failure_reason WHEN 'refunded' THEN 'refunded' ELSE 'confirmed' END,
        500, 'EUR', now()
    FROM (SELECT show_id, id, failure_reason, row_number() OVER () AS n FROM bookings
        WHERE status = 'CONFIRMED' AND user_name IN ('Dan', 'Ada') OR failure_reason = 'refunded') AS paid;
    INSERT INTO payments (provider, payment_id, state)
    SELECT 'stripe', 'pi_y' || md5(n::text), 'failed' FROM generate_series(1, $1) AS n;
    INSERT INTO payment_refunds (provider, payment_id, refund_id, amount_minor, currency, state, first_told_at, told_at)
    SELECT provider, payment_id, 're_' || payment_id, 100, 'EUR', 'succeeded', now(), now() FROM payments WHERE payment_id LIKE 'pi_x%';
    INSERT INTO payment_disputes (provider, payment_id, dispute_id, state, told_at)
    SELECT provider, payment_id, 'dp_' || payment_id, 'won', now() FROM payments WHERE payment_id LIKE 'pi_x%';
    INSERT INTO payment_events (provider, event_id, type, payment_id, show_id, booking_id, occurred_at, change, outcome, payload)
    SELECT provider, 'evt_x' || md5(payment_id), 't', payment_id, show_id, booking_id, now(), 'succeeded', 'confirmed', '{}'
    FROM payments WHERE payment_id LIKE 'pi_x%';
    INSERT INTO payment_events (provider, event_id, type, payment_id, occurred_at, received_at, change, outcome, payload)
    SELECT 'stripe', 'evt_y' || md5(n::text), 't', 'pi_y' || md5(n::text), now(), now() - interval '3 years', 'failed', 'kept', ''
    FROM generate_series(1, $1) AS n";

/// The amount of unrelated data in the two databases.
pub(super) const FEW: u32 = 1_000;
pub(super) const MANY: u32 = 10 * FEW;

pub(super) async fn scene(unrelated: u32) -> Client {
    let database = Database::create().await;
    let owner = database.client().await;
    owner.batch_execute(NEEDED).await.unwrap();
    owner.batch_execute(&UNRELATED.replace("$1", &unrelated.to_string())).await.unwrap();
    // Statistics, and the visibility map for index-only scans.
    owner.batch_execute("SET statement_timeout = 0").await.unwrap();
    owner.batch_execute("VACUUM ANALYZE").await.unwrap();
    database.client_as("boxoffice_app").await
}
