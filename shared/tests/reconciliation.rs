//! The look at all rows: in slices, each bounded however much there is, and none left out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use boxoffice_shared::{
    db::Db,
    model::ShowId,
    ops::{self, CheckCursor, Rule},
};
use boxoffice_testkit::postgres::Database;
use common::{
    db,
    pay::{assert_reconciled, priced_show, success},
    request,
};
use tokio_postgres::Client;

async fn scene() -> (Database, Db, Client, ShowId) {
    let database = Database::create().await;
    let (db, client) = (db(&database, 1), database.client().await);
    let show = priced_show(&db, 10_000, 2).await.id();
    (database, db, client, show)
}

/// 5,000 payments and events without a show, and 5,000 refunded bookings with one: more than two slices of each. The
/// last of each is damaged, in the order of its key.
#[tokio::test]
async fn every_slice_is_looked_at() {
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
            "00001388: it is refunded, and no payment of it is",
        ),
    ] {
        client.batch_execute(damage).await.unwrap();
        let found = ops::check(&db).await.unwrap();
        assert_eq!(found.len(), 1, "{damage}: {found:?}");
        assert_eq!(found[0].rule, rule, "{damage}");
        assert!(found[0].to_string().contains(detail), "{}", found[0]);
        let repair = "DELETE FROM payment_events WHERE event_id = 'evt_05000'; UPDATE payments SET state = 'refunded'
                      WHERE state = 'failed'";
        client.batch_execute(repair).await.unwrap();
    }
    assert_reconciled(&db).await;
}

/// Shows of a million seats, of which a statement takes no more than two, and more small ones than it takes: the last of
/// all is looked at.
#[tokio::test]
async fn large_shows_and_many_shows_are_looked_at_in_turn() {
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
        let (found, next) = ops::check_some(&db, &cursor).await.unwrap();
        assert!(found.is_empty(), "{found:?}");
        (looks, at) = (looks + 1, next);
    }
    // 10,000 and a million; four times a million with nothing before it; 100, 100 and 25 of a seat.
    assert_eq!(looks, 8);
    let last = "UPDATE seat_pools SET free = free + 1 WHERE show_id = (SELECT max(id) FROM shows)";
    client.batch_execute(last).await.unwrap();
    assert_eq!(ops::check(&db).await.unwrap().len(), 1);
    client.execute("UPDATE seat_pools SET free = free + 1 WHERE show_id = $1", &[&first.get()]).await.unwrap();
    assert_eq!(ops::check(&db).await.unwrap().len(), 2);
}

/// Whoever cannot get on with one part goes on with the next, and comes to an end.
#[tokio::test]
async fn each_part_can_be_passed_over() {
    let (_database, db, client, _) = scene().await;
    client.batch_execute("UPDATE seat_pools SET free = free + 1").await.unwrap();
    let (found, next) = ops::check_some(&db, &CheckCursor::START).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(next, CheckCursor::START.next_part());
    let (mut parts, mut at) = (0, next);
    while let Some(cursor) = at {
        assert!(ops::check_some(&db, &cursor).await.unwrap().0.is_empty());
        at = cursor.next_part();
        parts += 1;
    }
    assert_eq!(parts, 4);
}

/// A payment that succeeded, and whose booking is still pending.
#[tokio::test]
async fn a_booking_that_is_paid_and_pending_is_found() {
    let (_database, db, client, show) = scene().await;
    let id = ops::book(&db, &request(show, 3)).await.unwrap().booking.id();
    ops::record_payment(&db, &success("evt_1", "pi_1", id, 3), &common::NO_LIMITS).await.unwrap();
    client.batch_execute("UPDATE bookings SET status = 'PENDING', settled_at = NULL").await.unwrap();
    let found = ops::check(&db).await.unwrap();
    assert_eq!(found.iter().map(|violation| violation.rule).collect::<Vec<_>>(), [Rule::PaidIsConfirmed]);
    assert!(found[0].to_string().ends_with("which is PENDING"), "{}", found[0]);
}

/// What failed is never read, however much of it there is: the statement's plan has no other way to the bookings than the
/// indexes that have none of it.
#[tokio::test]
async fn the_seats_of_a_show_are_summed_without_what_failed() {
    let (database, db, client, show) = scene().await;
    let fill = format!(
        "INSERT INTO bookings (show_id, id, user_name, seats, status, failure_reason, created_at, expires_at, settled_at)
         SELECT {show}, gen_random_uuid(), 'Ada', 1, 'FAILED', 'expired', now() - interval '1 h', now(), now()
         FROM generate_series(1, 20000)"
    );
    client.batch_execute(&fill).await.unwrap();
    database.admin_client().await.batch_execute("VACUUM ANALYZE bookings").await.unwrap();
    for _ in 0..3 {
        ops::book(&db, &request(show, 3)).await.unwrap();
    }
    let explain = format!("EXPLAIN (ANALYZE, FORMAT TEXT) {}", include_str!("../src/ops/check_seats.sql"));
    let plan = explain.replace("$1", "0::bigint").replace("$2", "10::bigint").replace("$3", "10::bigint");
    let lines = client.simple_query(&plan).await.unwrap();
    let plan: String = lines
        .iter()
        .filter_map(|line| match line {
            tokio_postgres::SimpleQueryMessage::Row(row) => Some(format!("{}\n", row.get(0).unwrap())),
            _ => None,
        })
        .collect();
    assert!(plan.contains("bookings_live"), "{plan}");
    assert!(!plan.contains("bookings_pkey") && !plan.contains("Seq Scan on bookings"), "{plan}");
    assert_reconciled(&db).await;
}
