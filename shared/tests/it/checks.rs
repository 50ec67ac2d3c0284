//! The consistency check: it reads every row, in slices of bounded size.

use crate::common::{
    self, db,
    pay::{assert_reconciled, priced_show, success},
    request,
};
use boxoffice_shared::{
    bookings,
    checks::{self, CheckCursor, Rule},
    payments,
    platform::db::Db,
    shows::ShowId,
};
use boxoffice_testkit::postgres::Database;
use tokio_postgres::Client;

async fn scene() -> (Database, Db, Client, ShowId) {
    let database = Database::create().await;
    let (db, client) = (db(&database, 1), database.client().await);
    let show = priced_show(&db, 10_000, 2).await.id();
    (database, db, client, show)
}

/// 5,000 payments and events without a show, and 5,000 refunded bookings with one: more than two slices of each. The
/// test damages the last row of each, in physical order.
#[tokio::test]
async fn check_covers_every_slice() {
    let (_database, db, client, show) = scene().await;
    let rows = format!(
        "INSERT INTO payments (provider, payment_id, state, reason, amount_minor, currency, succeeded_at)
         SELECT 'stripe', 'pi_' || lpad(n::text, 5, '0'), 'refund_due', 'unknown_booking', 5000, 'EUR', now()
         FROM generate_series(1, 5000) AS n;
         INSERT INTO payment_events (provider, event_id, type, payment_id, occurred_at, change, outcome, payload)
         SELECT 'stripe', 'evt_' || lpad(n::text, 5, '0'), '', 'pi_' || lpad(n::text, 5, '0'), now(), 'succeeded',
             'refund_due', ''
         FROM generate_series(1, 5000) AS n;
         WITH refunded AS (
             INSERT INTO bookings (show_id, id, user_name, seats, status, failure_reason, created_at, expires_at, settled_at)
             SELECT {show}, lpad(to_hex(n), 32, '0')::uuid, 'Ada', 1, 'FAILED', 'refunded', now() - interval '1 h', now(), now()
             FROM generate_series(1, 5000) AS n
             RETURNING id
         )
         INSERT INTO payments (provider, payment_id, show_id, booking_id, state)
         SELECT 'standard', id::text, {show}, id, 'refunded' FROM refunded"
    );
    client.batch_execute(&rows).await.unwrap();
    assert_reconciled(&db).await;
    for (damage, rule, detail) in [
        ("DELETE FROM payments WHERE payment_id = 'pi_05000'", Rule::SuccessIsDecided, "event stripe evt_05000"),
        (
            "UPDATE payments SET state = 'failed', reason = NULL WHERE payment_id = lpad('1388', 32, '0')::uuid::text",
            Rule::RefundedHasRefund,
            "00001388: refunded, but none of its payments is",
        ),
    ] {
        client.batch_execute(damage).await.unwrap();
        let found = checks::check(&db).await.unwrap();
        assert_eq!(found.len(), 1, "{damage}: {found:?}");
        assert_eq!(found[0].rule, rule, "{damage}");
        assert!(found[0].to_string().contains(detail), "{}", found[0]);
        let repair = "DELETE FROM payment_events WHERE event_id = 'evt_05000'; UPDATE payments SET state = 'refunded'
                      WHERE state = 'failed'";
        client.batch_execute(repair).await.unwrap();
    }
    assert_reconciled(&db).await;
}

/// Shows of a million seats, of which one statement reads two at most, and more small shows than one statement reads.
/// The check reaches the last of all.
#[tokio::test]
async fn large_shows_and_many_shows_are_checked_in_slices() {
    let (_database, db, client, first) = scene().await;
    let shows = "
        WITH made AS (
            INSERT INTO shows (name, start_time, total_seats, max_seats_per_booking, pools)
            SELECT 'Lear', now(), CASE WHEN n <= 5 THEN 1000000 ELSE 1 END, 1, 1 FROM generate_series(1, 230) AS n
            RETURNING id, total_seats
        )
        INSERT INTO seat_pools (show_id, pool_no, free) SELECT id, 0, total_seats FROM made";
    client.batch_execute(shows).await.unwrap();
    let (mut looks, mut at) = (0, Some(CheckCursor::START));
    while let Some(cursor) = at.filter(|cursor| *cursor != CheckCursor::START.next_part().unwrap()) {
        let (found, next) = checks::check_some(&db, &cursor).await.unwrap();
        assert!(found.is_empty(), "{found:?}");
        (looks, at) = (looks + 1, next);
    }
    // Slices: 10,000 and a million seats; four times a million alone; 100, 100 and 25 shows of one seat.
    assert_eq!(looks, 8);
    let last = "UPDATE seat_pools SET free = free + 1 WHERE show_id = (SELECT max(id) FROM shows)";
    client.batch_execute(last).await.unwrap();
    assert_eq!(checks::check(&db).await.unwrap().len(), 1);
    client.execute("UPDATE seat_pools SET free = free + 1 WHERE show_id = $1", &[&first.get()]).await.unwrap();
    assert_eq!(checks::check(&db).await.unwrap().len(), 2);
}

/// A caller that cannot finish one part can continue with the next one, and reaches the end.
#[tokio::test]
async fn each_part_can_be_skipped() {
    let (_database, db, client, _) = scene().await;
    client.batch_execute("UPDATE seat_pools SET free = free + 1").await.unwrap();
    let (found, next) = checks::check_some(&db, &CheckCursor::START).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(next, CheckCursor::START.next_part());
    let (mut parts, mut at) = (0, next);
    while let Some(cursor) = at {
        assert!(checks::check_some(&db, &cursor).await.unwrap().0.is_empty());
        at = cursor.next_part();
        parts += 1;
    }
    assert_eq!(parts, 4);
}

/// The payment succeeded, but its booking is still pending.
#[tokio::test]
async fn paid_booking_that_is_still_pending_is_found() {
    let (_database, db, client, show) = scene().await;
    let id = bookings::book(&db, &request(show, 3)).await.unwrap().booking.id();
    payments::record(&db, &success("evt_1", "pi_1", id, 3), &common::NO_LIMITS).await.unwrap();
    client.batch_execute("UPDATE bookings SET status = 'PENDING', settled_at = NULL").await.unwrap();
    let found = checks::check(&db).await.unwrap();
    assert_eq!(found.iter().map(|violation| violation.rule).collect::<Vec<_>>(), [Rule::PaidIsConfirmed]);
    assert!(found[0].to_string().ends_with(" is PENDING"), "{}", found[0]);
}

/// The statement never reads failed bookings, however many there are: its plan reaches bookings only through indexes
/// that exclude them.
#[tokio::test]
async fn seat_sum_does_not_read_failed_bookings() {
    let (database, db, client, show) = scene().await;
    let fill = format!(
        "INSERT INTO bookings (show_id, id, user_name, seats, status, failure_reason, created_at, expires_at, settled_at)
         SELECT {show}, gen_random_uuid(), 'Ada', 1, 'FAILED', 'expired', now() - interval '1 h', now(), now()
         FROM generate_series(1, 20000)"
    );
    client.batch_execute(&fill).await.unwrap();
    database.admin_client().await.batch_execute("VACUUM ANALYZE bookings").await.unwrap();
    for _ in 0..3 {
        bookings::book(&db, &request(show, 3)).await.unwrap();
    }
    let explain = format!("EXPLAIN (ANALYZE, FORMAT TEXT) {}", include_str!("../../src/checks/seats.sql"));
    let explain = explain.replace("$1", "0::bigint").replace("$2", "10::bigint").replace("$3", "10::bigint");
    let plan = common::plan(&client, &explain).await;
    assert!(plan.contains("bookings_live"), "{plan}");
    assert!(!plan.contains("bookings_pkey") && !plan.contains("Seq Scan on bookings"), "{plan}");
    assert_reconciled(&db).await;
}

/// The generic plan of a prepared statement, with its actual row counts.
async fn plan(client: &Client, sql: &str, types: &str, values: &str) -> String {
    let prepare = format!(
        "SET plan_cache_mode = force_generic_plan; SET jit = off; PREPARE looked ({types}) AS {sql};
         EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) EXECUTE looked ({values}); DEALLOCATE looked"
    );
    common::plan(client, &prepare).await
}

/// Payments and events are stored in the order of their arrival, and so are the bookings that they name. In the order
/// of their random keys, each row would be on a different page of a table that does not fit into memory.
#[tokio::test]
async fn payments_and_events_are_read_in_physical_order() {
    let (database, _db, client, show) = scene().await;
    let fill = format!(
        "CREATE TEMP TABLE sold AS
             SELECT n, md5(n::text) AS name, (lpad(to_hex(n), 12, '0') || '7' || substr(md5(n::text), 1, 19))::uuid AS id
             FROM generate_series(1, 20000) AS n;
         INSERT INTO bookings (show_id, id, user_name, seats, status, created_at, expires_at, settled_at, amount_minor, currency)
         SELECT {show}, id, 'Ada', 1, 'CONFIRMED', now() - interval '1 h', now(), now(), 5000, 'EUR' FROM sold ORDER BY n;
         INSERT INTO payments (provider, payment_id, show_id, booking_id, state, amount_minor, currency, succeeded_at)
         SELECT 'stripe', 'pi_' || name, {show}, id, 'confirmed', 5000, 'EUR', now() FROM sold ORDER BY n;
         INSERT INTO payment_events (provider, event_id, type, payment_id, show_id, booking_id, occurred_at, change, outcome, payload)
         SELECT 'stripe', 'evt_' || name, '', 'pi_' || name, {show}, id, now(), 'succeeded', 'confirmed', '' FROM sold ORDER BY n"
    );
    client.batch_execute(&fill).await.unwrap();
    database.admin_client().await.batch_execute("VACUUM ANALYZE bookings, payments, payment_events").await.unwrap();
    let payments = plan(&client, include_str!("../../src/checks/payments.sql"), "bigint, bigint", "64, 64").await;
    let events = plan(&client, include_str!("../../src/checks/events.sql"), "bigint, bigint", "64, 64").await;
    for (plan, table, found_by) in
        [(&payments, "payments", "using bookings_pkey"), (&events, "payment_events", "using payments_by_booking")]
    {
        assert!(plan.contains(&format!("Tid Range Scan on {table}")) && plan.contains(found_by), "{plan}");
        assert!(!plan.contains("Seq Scan"), "{plan}");
        for line in plan.lines().filter(|line| line.contains("payments_pkey") || line.contains("payment_events_pkey")) {
            assert!(line.contains("(never executed)"), "{plan}");
        }
    }
}

/// The check finds the payment by the event's booking. If the event names no booking, another one or one that does not
/// exist, the check finds it by the payment's key.
#[tokio::test]
async fn payment_of_an_event_is_found_whichever_booking_the_event_names() {
    let (_database, db, client, show) = scene().await;
    let (paid, other) = (
        bookings::book(&db, &request(show, 1)).await.unwrap().booking,
        bookings::book(&db, &request(show, 1)).await.unwrap().booking,
    );
    payments::record(&db, &success("evt_0", "pi_1", paid.id(), 1), &common::NO_LIMITS).await.unwrap();
    let unknown = boxoffice_shared::bookings::BookingId::generate(show);
    for (number, named) in [(1, Some(paid.id())), (2, None), (3, Some(other.id())), (4, Some(unknown))] {
        let (show_id, id) = (named.map(|id| id.show_id().get()), named.map(|id| id.uuid()));
        let event = "INSERT INTO payment_events (provider, event_id, type, payment_id, show_id, booking_id, occurred_at, change, outcome,
                payload)
            VALUES ('stripe', $1, '', 'pi_1', $2, $3, now(), 'succeeded', 'kept', '')";
        client.execute(event, &[&format!("evt_{number}"), &show_id, &id]).await.unwrap();
    }
    assert_reconciled(&db).await;
    client.batch_execute("DELETE FROM payments").await.unwrap();
    let found = checks::check(&db).await.unwrap();
    let said: Vec<_> = found.iter().map(ToString::to_string).collect();
    let expected = (0..5).map(|n| format!("event stripe evt_{n}: reports a success, but payment pi_1 is missing"));
    assert_eq!(said, expected.collect::<Vec<_>>());
}
