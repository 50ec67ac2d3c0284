//! What a statement reads does not grow with what it does not need: other shows, other holders' bookings, what was settled, what
//! is not due.
//!
//! Counted are rows and pages that the server reads, also within its functions and triggers, over two databases that differ in nothing but
//! what is not needed: ten times as much. No time is measured.

use std::{
    collections::BTreeSet,
    fmt, fs,
    path::{Path, PathBuf},
};

use boxoffice_testkit::postgres::Database;
use tokio_postgres::Client;

/// A statement as an operation sends it, and values for it.
struct Case {
    /// The files that it is made of, under `shared/src`.
    files: &'static [&'static str],
    /// The types of `$1`, `$2` and so on.
    types: &'static str,
    /// What is asked for: a few rows, of the story.
    values: &'static str,
}

const fn case(files: &'static [&'static str], types: &'static str, values: &'static str) -> Case {
    Case { files, types, values }
}

/// A hold of the story, one that is due and one that expired; one that is to be made; and before all of them.
macro_rules! id {
    (held) => {
        "'00000000-0000-7000-8000-00000000000a'"
    };
    (due) => {
        "'00000000-0000-7000-8000-0000000000d1'"
    };
    (expired) => {
        "'00000000-0000-7000-8000-0000000000f1'"
    };
    (new) => {
        "'00000000-0000-7000-8000-00000000000e'"
    };
    (nil) => {
        "'00000000-0000-0000-0000-000000000000'"
    };
}

const BOOKING_TYPES: &str =
    "bigint, uuid, text, integer, double precision, text, text, integer, integer, integer, integer";
const BOOKING: &str = concat!("1, ", id!(new), ", 'Ada', 1, 120, 'key', 'sub:ada', 100, 100, 5, 1");

const RECORD_TYPES: &str = "text, text, text, text, bigint, uuid, timestamptz, text, bigint, text, text, text, integer, integer, \
    integer, bigint[], text, text";
const REPLAY_TYPES: &str = "text, text, text, text, bigint, uuid, timestamptz, text, bigint, text, text, text, integer, integer, integer, bigint[], \
    text";

/// Every file of a statement is in one of them.
const CASES: &[Case] = &[
    case(&["bookings/book/own_pool.sql"], BOOKING_TYPES, BOOKING),
    // One who never booked.
    case(
        &["bookings/book/own_pool.sql"],
        BOOKING_TYPES,
        concat!("1, ", id!(new), ", 'Eve', 1, 120, NULL, 'sub:eve', 10, 10, 5, 1"),
    ),
    case(
        &["bookings/book/any_pool.sql"],
        "bigint, uuid, text, integer, double precision, text, text, integer, integer, integer, integer, double precision",
        concat!("1, ", id!(new), ", 'Ada', 1, 120, 'key', 'sub:ada', 100, 100, 5, 1, 0.5"),
    ),
    case(&["bookings/book/all_pools.sql"], BOOKING_TYPES, BOOKING),
    case(&["bookings/book/refusal.sql", "bookings/answer.sql"], BOOKING_TYPES, BOOKING),
    case(
        &["bookings/book/unlocked_pool.sql"],
        "bigint, uuid, text, integer, double precision, text, text, integer, integer, integer, integer, double precision",
        concat!("1, ", id!(new), ", 'Ada', 1, 120, 'key', 'sub:ada', 100, 100, 5, 1, 0.5"),
    ),
    // One who has as much as there is, and may have more; and one who may not.
    case(
        &["bookings/book/own_pool.sql"],
        BOOKING_TYPES,
        concat!("1, ", id!(new), ", 'Big', 1, 120, NULL, 'sub:big', 9999999, 9999999, 5, 1"),
    ),
    case(
        &["bookings/book/own_pool.sql"],
        BOOKING_TYPES,
        concat!("1, ", id!(new), ", 'Big', 1, 120, NULL, 'sub:big', 10, 10, 5, 1"),
    ),
    case(
        &["bookings/book/refusal.sql", "bookings/answer.sql"],
        BOOKING_TYPES,
        concat!("1, ", id!(new), ", 'Big', 1, 120, NULL, 'sub:big', 10, 10, 5, 1"),
    ),
    case(&["bookings/book/lock_holder.sql"], "bigint, text, integer", "1, 'sub:ada', 1"),
    case(&["inventory/lock_pools.sql"], "bigint", "1"),
    case(&["bookings/confirm.sql", "bookings/answer.sql"], "bigint, uuid", concat!("1, ", id!(held))),
    case(
        &["bookings/cancel.sql", "inventory/release.sql", "bookings/cancel_answer.sql", "bookings/answer.sql"],
        "bigint, uuid, text",
        concat!("1, ", id!(held), ", 'sub:ada'"),
    ),
    case(
        &["bookings/extend.sql", "bookings/answer.sql"],
        "bigint, uuid, double precision, double precision, text",
        concat!("1, ", id!(held), ", 900, 86400, 'sub:ada'"),
    ),
    case(
        &["bookings/expire.sql", "inventory/release.sql", "bookings/expire_answer.sql"],
        "bigint[], uuid[]",
        concat!("'{1,1}', ARRAY[", id!(held), ", ", id!(due), "]::uuid[]"),
    ),
    // All that is due: five holds.
    case(
        &["bookings/sweep.sql", "inventory/release.sql", "bookings/sweep_answer.sql"],
        "bigint, bigint[]",
        "1000, '{7}'",
    ),
    case(&["bookings/due.sql"], "bigint, bigint[]", "1000, '{7}'"),
    // Nothing is.
    case(
        &["bookings/sweep.sql", "inventory/release.sql", "bookings/sweep_answer.sql"],
        "bigint, bigint[]",
        "1000, '{1}'",
    ),
    case(&["bookings/due.sql"], "bigint, bigint[]", "1000, '{1}'"),
    case(
        &["bookings/get.sql", "bookings/answer.sql"],
        "bigint, uuid, text, boolean",
        concat!("1, ", id!(held), ", 'sub:ada', false"),
    ),
    case(&["shows/get.sql"], "bigint", "1"),
    case(&["shows/list.sql"], "timestamptz, bigint, bigint", "'1970-01-01Z', 0, 4"),
    case(
        &["shows/create.sql"],
        "text, timestamptz, integer, integer, integer, bigint, text, integer, integer, bytea, bytea",
        "'New', now() + interval '1 day', 100, 4, 16, 500, 'EUR', NULL, NULL, sha256('new'), sha256('body')",
    ),
    case(&["shows/created.sql"], "bytea, bytea", "sha256('made'), sha256('body')"),
    case(&["shows/set_pools.sql"], "bigint, integer", "1, 20"),
    case(&["inventory/spread.sql"], "bigint, integer", "1, 8"),
    case(&["shows/set_holder_limits.sql"], "bigint, boolean, integer, boolean, integer", "1, true, 5, false, NULL"),
    case(
        &["payments/record.sql"],
        RECORD_TYPES,
        concat!(
            "'stripe', 'evt_new', 't', 'pi_new', 1, ",
            id!(held),
            ", now(), 'succeeded', 500, 'EUR', NULL, NULL, 20, 1, 100, NULL, NULL, '{}'"
        ),
    ),
    // Late, for a hold that nobody has expired yet.
    case(
        &["payments/record.sql"],
        RECORD_TYPES,
        concat!(
            "'stripe', 'evt_new', 't', 'pi_new', 1, ",
            id!(due),
            ", now(), 'succeeded', 500, 'EUR', NULL, NULL, 20, 1, 100, NULL, NULL, '{}'"
        ),
    ),
    case(
        &["payments/record.sql"],
        RECORD_TYPES,
        "'stripe', 'evt_new', 't', 'pi_paid', NULL, NULL, now(), 'refunded', 500, 'EUR', NULL, NULL, 20, 1, 100, NULL, NULL, '{}'",
    ),
    // Late, for one that expired: it takes seats again.
    case(
        &["payments/record.sql"],
        RECORD_TYPES,
        concat!(
            "'stripe', 'evt_new', 't', 'pi_new', 1, ",
            id!(expired),
            ", now(), 'succeeded', 500, 'EUR', NULL, NULL, 20, 1, 100, NULL, NULL, '{}'"
        ),
    ),
    // Again.
    case(
        &["payments/record.sql"],
        RECORD_TYPES,
        concat!(
            "'stripe', 'evt_paid', 't', 'pi_paid', 1, ",
            id!(held),
            ", now(), 'succeeded', 500, 'EUR', NULL, NULL, 20, 1, 100, NULL, NULL, '{}'"
        ),
    ),
    case(
        &["payments/replay.sql"],
        REPLAY_TYPES,
        concat!(
            "'stripe', 'evt_unread_1', 't', 'pi_new', 1, ",
            id!(held),
            ", now(), 'succeeded', 500, 'EUR', NULL, NULL, 20, 1, 100, NULL, NULL"
        ),
    ),
    case(
        &["payments/record.sql"],
        RECORD_TYPES,
        "'stripe', 'evt_new', 't', 'pi_paid', NULL, NULL, now(), 'refund', 500, 'EUR', 're_1', 'failed', 20, 1, 100, NULL, NULL, '{}'",
    ),
    case(
        &["payments/record.sql"],
        RECORD_TYPES,
        "'stripe', 'evt_new', 't', 'pi_paid', NULL, NULL, now(), 'disputed', NULL, NULL, 'dp_1', 'lost', 20, 1, 100, NULL, NULL, '{}'",
    ),
    case(&["payments/decide_dispute.sql"], "text, text, text", "'stripe', 'pi_lost', 'cancel'"),
    case(&["payments/settle.sql"], "text, text", "'stripe', 'pi_due_1'"),
    case(&["payments/get_event.sql"], "text, text", "'stripe', 'evt_paid'"),
    case(&["payments/list_due.sql"], "timestamptz, text, text, bigint", "'1970-01-01Z', '', '', 4"),
    case(&["payments/list_disputed.sql"], "timestamptz, text, text, bigint", "'1970-01-01Z', '', '', 4"),
    case(&["payments/list.sql"], "text, timestamptz, text, text, bigint", "'confirmed', '1970-01-01Z', '', '', 4"),
    case(&["payments/list_unreadable.sql"], "timestamptz, text, text, bigint", "'1970-01-01Z', '', '', 4"),
    case(
        &["privacy/export_bookings.sql", "bookings/answer.sql"],
        "text, bigint, uuid, bigint",
        concat!("'sub:ada', 0, ", id!(nil), ", 4"),
    ),
    case(
        &["privacy/export_payments.sql"],
        "bigint[], uuid[], bigint",
        concat!("'{1}', ARRAY[", id!(held), "]::uuid[], 11"),
    ),
    case(
        &["privacy/export_events.sql"],
        "bigint[], uuid[], bigint, bigint",
        concat!("'{1}', ARRAY[", id!(held), "]::uuid[], 11, 700000"),
    ),
    case(&["privacy/erase.sql"], "text, bigint", "'sub:ada', 4"),
    case(&["privacy/erase.sql"], "text, bigint", "'sub:nobody', 1000"),
    case(&["privacy/due_show.sql"], "integer, timestamptz, bigint", "8760, '1970-01-01Z', 0"),
    case(&["privacy/due_show.sql"], "integer, timestamptz, bigint", "87600, '1970-01-01Z', 0"),
    case(&["privacy/anonymise.sql"], "bigint, uuid, bigint", concat!("2, ", id!(nil), ", 4")),
    case(&["privacy/mark_anonymised.sql"], "bigint", "2"),
    case(&["privacy/empty_payloads.sql"], "integer, bigint", "8760, 1000"),
    case(&["privacy/empty_payloads.sql"], "integer, bigint", "87600, 1000"),
    // A show with five that are held or sold.
    case(&["checks/seats.sql"], "bigint, bigint, bigint", "2, 1, 1000000"),
    case(&["checks/holders.sql"], "bigint, text, bigint", "3, '', 4"),
    case(&["checks/refunds.sql"], "bigint, uuid, bigint", concat!("0, ", id!(nil), ", 4")),
    case(&["checks/payments.sql"], "bigint, bigint", "0, 1"),
    case(&["checks/events.sql"], "bigint, bigint", "0, 1"),
    case(&["checks/oldest_snapshot.sql"], "", ""),
];

/// What the statements need, the same in both: show 1 is sold; 2 was two years ago; 3 has five bookings.
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

/// What they do not need, so many times $1. Ids are random, as those of bookings are in their last part.
const NOT_NEEDED: &str = "
    -- Shows that come later than the first page, and that were done with; each with a pool.
    INSERT INTO shows (name, start_time, total_seats, max_seats_per_booking, pools)
    SELECT 'Later', now() + make_interval(days => 10, mins => n), 100, 10, 1 FROM generate_series(1, $1 / 10) AS n;
    INSERT INTO shows (name, start_time, total_seats, max_seats_per_booking, pools, anonymised_at)
    SELECT 'Done', now() - make_interval(years => 3, mins => n), 100, 10, 1, now() FROM generate_series(1, $1 / 10) AS n;
    INSERT INTO shows (name, start_time, total_seats, max_seats_per_booking, pools)
    SELECT 'Recent', now() - make_interval(days => 30, mins => n), 100, 10, 1 FROM generate_series(1, $1 / 10) AS n;
    INSERT INTO seat_pools SELECT id, 0, 100 FROM shows WHERE id > 3;
    UPDATE shows SET creation_key = sha256(id::text::bytea), creation_request = sha256('body') WHERE id > 3;
    -- Of the same show, other holders': sold, held and not due, over.
    INSERT INTO bookings (
        show_id, id, user_name, seats, status, failure_reason, created_at, expires_at, settled_at, holder, idempotency_key)
    SELECT 1, gen_random_uuid(), 'Dan', 1, state.status, state.reason, now() - interval '1 day', now() + interval '1 hour',
        CASE state.status WHEN 'PENDING' THEN NULL ELSE now() - interval '2 hours' END, 'sub:dan' || n % 1000, 'key ' || state || n
    FROM generate_series(1, $1) AS n,
        (VALUES ('CONFIRMED', NULL), ('PENDING', NULL), ('FAILED', 'expired'), ('FAILED', 'cancelled')) AS state (status, reason);
    -- Of the same holder, long over.
    INSERT INTO bookings (show_id, id, user_name, seats, status, failure_reason, created_at, expires_at, settled_at, holder)
    SELECT 1, gen_random_uuid(), 'Ada', 1, 'FAILED', 'expired', now() - interval '1 day', now() - interval '23 hours',
        now() - interval '23 hours', 'sub:ada'
    FROM generate_series(1, $1 / 10) AS n;
    -- Of one who has much of the same show, and is counted.
    INSERT INTO bookings (show_id, id, user_name, seats, status, created_at, expires_at, settled_at, holder)
    SELECT 1, gen_random_uuid(), 'Big', 1, 'CONFIRMED', now() - interval '1 day', now() - interval '23 hours', now(), 'sub:big'
    FROM generate_series(1, $1) AS n;
    SELECT count_holder(1, 'sub:big');
    INSERT INTO holders (show_id, holder) SELECT 4 + n % 50, 'sub:fay' || n FROM generate_series(1, $1) AS n;
    -- Of other shows: the same holder's, others'; of the one that was two years ago, and of the small one, over.
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
    -- Payments in other states, of other bookings, and their events: applied, and not old enough to be emptied.
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

/// Ten times as much, for the second.
const FEW: u32 = 1_000;
const MANY: u32 = 10 * FEW;

async fn scene(not_needed: u32) -> Client {
    let database = Database::create().await;
    let owner = database.client().await;
    owner.batch_execute(NEEDED).await.unwrap();
    owner.batch_execute(&NOT_NEEDED.replace("$1", &not_needed.to_string())).await.unwrap();
    // Statistics, and the visibility map for scans of an index alone.
    owner.batch_execute("SET statement_timeout = 0").await.unwrap();
    owner.batch_execute("VACUUM ANALYZE").await.unwrap();
    database.client_as("boxoffice_app").await
}

/// What the server read for a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Read {
    /// Rows of tables and entries of indexes.
    rows: i64,
    /// Pages of them, each time that one was looked at.
    pages: i64,
}

impl Read {
    /// Whether it may be, where `few` was read with a tenth of what is not needed. An index of ten times as many entries may have
    /// one more level.
    fn is_as_much_as(self, few: Self) -> bool {
        self.rows <= few.rows + few.rows / 4 + 10 && self.pages <= 2 * few.pages + 20
    }
}

impl fmt::Display for Read {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows, {} pages", self.rows, self.pages)
    }
}

impl Case {
    fn text(&self) -> String {
        self.files.iter().map(|file| fs::read_to_string(statements().join(file)).expect(file)).collect()
    }

    /// Runs it, undoes it, and gives what was read, and its plan.
    async fn read(&self, client: &Client, plans: &str) -> (Read, String) {
        client.batch_execute(&format!("SET plan_cache_mode = {plans}")).await.unwrap();
        let list = |list: &str| if list.is_empty() { String::new() } else { format!("({list})") };
        let prepare = format!("PREPARE it {} AS {}", list(self.types), self.text());
        client.batch_execute(&prepare).await.unwrap_or_else(|error| panic!("{self}: {error}"));
        client.batch_execute("BEGIN").await.unwrap();
        let before = so_far(client).await;
        let execute = format!("EXECUTE it {}", list(self.values));
        client.batch_execute(&execute).await.unwrap_or_else(|error| panic!("{self}: {error}"));
        let after = so_far(client).await;
        client.batch_execute("ROLLBACK").await.unwrap();
        let plan = client.query(&format!("EXPLAIN {execute}"), &[]).await.unwrap();
        let plan = plan.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>().join("\n");
        client.batch_execute("DEALLOCATE it").await.unwrap();
        (Read { rows: after.rows - before.rows, pages: after.pages - before.pages }, plan)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.files[0], self.values)
    }
}

/// What this session has read and not yet added to the server's statistics: the difference within a transaction is what is asked for.
async fn so_far(client: &Client) -> Read {
    let sums = "
        SELECT coalesce(sum(pg_stat_get_xact_tuples_returned(oid)), 0)::bigint,
            coalesce(sum(pg_stat_get_xact_blocks_fetched(oid)), 0)::bigint
        FROM pg_class
        WHERE relkind IN ('r', 'i', 't', 'm') AND relnamespace IN ('public'::regnamespace, 'pg_toast'::regnamespace)";
    let row = client.query_one(sums, &[]).await.unwrap();
    Read { rows: row.get(0), pages: row.get(1) }
}

/// Where all statements are.
fn statements() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// All `.sql` files in and below a folder.
fn sql_files(dir: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sql_files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "sql") {
            found.insert(path);
        }
    }
}

#[test]
fn every_statement_has_a_case() {
    let mut found = BTreeSet::new();
    sql_files(&statements(), &mut found);
    let named: BTreeSet<_> = CASES.iter().flat_map(|case| case.files).map(|file| statements().join(file)).collect();
    let missing: Vec<_> = found.difference(&named).collect();
    assert!(missing.is_empty(), "add a Case for each, and what it does not need to NOT_NEEDED: {missing:?}");
    assert_eq!(named.difference(&found).count(), 0, "a Case names a file that is not there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_statement_reads_more_because_of_what_it_does_not_need() {
    let (few, many) = tokio::join!(scene(FEW), scene(MANY));
    let mut grown = Vec::new();
    for plans in ["force_custom_plan", "force_generic_plan"] {
        for case in CASES {
            let (less, _) = case.read(&few, plans).await;
            let (more, plan) = case.read(&many, plans).await;
            if !more.is_as_much_as(less) {
                grown.push(format!("{case}, {plans}: {less}; with ten times what it does not need {more}\n{plan}"));
            }
        }
    }
    assert!(grown.is_empty(), "{} grow:\n{}", grown.len(), grown.join("\n\n"));
}

/// What the test above sees, by a bound as it was: no index is bounded by a clock that goes on meanwhile.
#[tokio::test]
async fn a_bound_by_a_clock_that_goes_on_reads_every_hold() {
    let client = scene(FEW).await;
    client.batch_execute("BEGIN; SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off").await.unwrap();
    let read = async |clock: &str| {
        let before = so_far(&client).await;
        let due = format!("SELECT FROM bookings WHERE status = 'PENDING' AND expires_at <= {clock} - interval '1 day'");
        client.batch_execute(&due).await.unwrap();
        so_far(&client).await.rows - before.rows
    };
    let (moving, fixed) = (read("clock_timestamp()").await, read("statement_timestamp()").await);
    assert!(moving > i64::from(FEW) && fixed == 0, "{moving}, {fixed}");
}
