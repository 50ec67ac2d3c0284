//! The sweep: it is bounded, waits for no lock, and expires each hold once.

use std::collections::BTreeSet;

use crate::common::{self, age, count, db, free, instances, request, show};
use boxoffice_shared::{
    Error,
    bookings::{self, BookingId, ExpireOutcome, MAX_BATCH},
    shows::{self, ShowId},
};
use boxoffice_testkit::{invariants::assert_invariants, postgres::Database};
use tokio_postgres::Client;

/// Makes this many due holds of one seat, the oldest first, with seats of pool 0.
async fn due(client: &Client, show: ShowId, holds: i32) {
    let make = "INSERT INTO bookings (show_id, id, user_name, seats, status, created_at, expires_at) \
                SELECT $1, gen_random_uuid(), 'number ' || number, 1, 'PENDING', \
                       now() - interval '2 hours', now() - interval '1 hour' + make_interval(secs => number) \
                FROM generate_series(1, $2) AS number";
    client.execute(make, &[&show.get(), &holds]).await.unwrap();
    let take = "UPDATE seat_pools SET free = free - $2 WHERE show_id = $1 AND pool_no = 0";
    client.execute(take, &[&show.get(), &holds]).await.unwrap();
}

#[tokio::test]
async fn sweep_is_bounded_and_takes_the_oldest_first() {
    let database = Database::create().await;
    let client = database.client().await;
    let db = db(&database, 1);
    let show = show(&db, 20_000, 2).await.id();
    let batch = i32::from(MAX_BATCH);
    due(&client, show, 2 * batch + 500).await;
    let left = async || {
        let sql = "SELECT min(substr(user_name, 8)::integer), count(*)::integer FROM bookings WHERE status = 'PENDING'";
        let row = client.query_one(sql, &[]).await.unwrap();
        (row.get::<_, Option<i32>>(0), row.get::<_, i32>(1))
    };
    assert_eq!(bookings::sweep(&db).await.unwrap(), u64::from(MAX_BATCH));
    assert_eq!(left().await, (Some(batch + 1), batch + 500));
    assert_invariants(&client).await;
    assert_eq!(bookings::sweep(&db).await.unwrap(), u64::from(MAX_BATCH));
    assert_eq!(left().await, (Some(2 * batch + 1), 500));
    assert_eq!(bookings::sweep(&db).await.unwrap(), 500);
    assert_eq!(bookings::sweep(&db).await.unwrap(), 0);
    assert_eq!(free(&client, show).await.iter().sum::<i32>(), 20_000);
    assert_invariants(&client).await;
}

#[tokio::test]
async fn locked_hold_is_skipped_and_swept_later() {
    let database = Database::create().await;
    let client = database.client().await;
    let db = db(&database, 1);
    let show = show(&db, 100, 4).await.id();
    let mut ids = Vec::new();
    for _ in 0..5 {
        let id = bookings::book(&db, &request(show, 2)).await.unwrap().booking.id();
        age(&client, id, 121.0).await;
        ids.push(id);
    }
    let holder = database.admin_client().await;
    holder.batch_execute("BEGIN").await.unwrap();
    let stuck: BookingId = ids[0];
    let lock = "SELECT FROM bookings WHERE show_id = $1 AND id = $2 FOR UPDATE";
    holder.execute(lock, &[&show.get(), &stuck.uuid()]).await.unwrap();
    assert_eq!(bookings::sweep(&db).await.unwrap(), 4, "a locked hold should not delay the others");
    assert_eq!(count(&client, "PENDING").await, 1);
    assert_invariants(&client).await;
    holder.batch_execute("COMMIT").await.unwrap();
    assert_eq!(bookings::sweep(&db).await.unwrap(), 1);
    assert_eq!(shows::get(&db, show).await.unwrap().available_seats(), 100);
    assert_invariants(&client).await;
}

/// One show has lost its pool: its seats cannot be released, and the whole batch with its holds fails. With the show
/// excluded, the holds of other shows expire.
#[tokio::test]
async fn damaged_show_can_be_excluded() {
    let database = Database::create().await;
    let client = database.client().await;
    let db = db(&database, 1);
    let (damaged, sound) = (show(&db, 5_000, 1).await.id(), show(&db, 100, 4).await.id());
    // More than one batch, and all of them older than the others.
    due(&client, damaged, 1_500).await;
    due(&client, sound, 7).await;
    let later = "UPDATE bookings SET expires_at = now() - interval '1 second' WHERE show_id = $1";
    client.execute(later, &[&sound.get()]).await.unwrap();
    client.execute("UPDATE shows SET pools = 200 WHERE id = $1", &[&damaged.get()]).await.unwrap();
    client.execute("UPDATE seat_pools SET pool_no = 255 WHERE show_id = $1", &[&damaged.get()]).await.unwrap();
    assert!(matches!(bookings::sweep(&db).await, Err(Error::Internal(_))));
    assert_eq!(count(&client, "FAILED").await, 0);
    let found = bookings::due(&db, &BTreeSet::new()).await.unwrap();
    assert_eq!(found.iter().map(|(show, holds)| (*show, holds.len())).collect::<Vec<_>>(), [(damaged, 1_000)]);
    let passed_over = BTreeSet::from([damaged]);
    assert_eq!(bookings::due(&db, &passed_over).await.unwrap()[&sound].len(), 7);
    assert_eq!(bookings::sweep_except(&db, &passed_over).await.unwrap(), 7);
    assert_eq!(shows::get(&db, sound).await.unwrap().available_seats(), 100);
    assert_eq!(count(&client, "PENDING").await, 1_500);
    assert_invariants(&client).await;
}

/// Concurrent sweeps and batches of messages expire each hold exactly once in total.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_sweeps_and_batches_expire_each_hold_once() {
    let database = Database::create().await;
    let client = database.client().await;
    let counters = instances(&database.url(), 5).await;
    let show = show(&counters[0], 10_000, 8).await.id();
    for round in 0..15 {
        due(&client, show, 250).await;
        let sql = "SELECT id FROM bookings WHERE status = 'PENDING'";
        let uuids = client.query(sql, &[]).await.unwrap();
        let ids: Vec<BookingId> =
            uuids.iter().map(|row| format!("{show}-{}", row.get::<_, uuid::Uuid>(0)).parse().unwrap()).collect();
        // The batches overlap: each hold is in two of them.
        let batch = |ids: &[BookingId]| ids.iter().copied().collect::<BTreeSet<_>>();
        let (one, two, three) = (batch(&ids[..150]), batch(&ids[100..]), batch(&[&ids[..100], &ids[150..]].concat()));
        let (a, b, c, d, e) = tokio::join!(
            bookings::sweep(&counters[0]),
            bookings::expire(&counters[1], &one),
            bookings::expire(&counters[2], &two),
            bookings::expire(&counters[3], &three),
            bookings::sweep(&counters[4]),
        );
        let mut expired = a.unwrap() + e.unwrap();
        for outcomes in [b, c, d] {
            expired += outcomes.unwrap().values().filter(|outcome| **outcome == ExpireOutcome::Expired).count() as u64;
        }
        assert_eq!(expired, 250, "round {round}");
        assert_invariants(&client).await;
        // The released seats are spread over the pools. Moves them to pool 0, from which the next round takes.
        let gather = "UPDATE seat_pools SET free = CASE pool_no WHEN 0 THEN 10000 ELSE 0 END WHERE show_id = $1";
        client.execute(gather, &[&show.get()]).await.unwrap();
    }
    assert_eq!(count(&client, "PENDING").await, 0);
}

/// If no hold is due, the sweep reads only the index and finds nothing there, however many holds exist.
#[tokio::test]
async fn sweep_does_not_read_holds_that_are_not_due() {
    let database = Database::create().await;
    let (db, client) = (db(&database, 1), database.client().await);
    let show = show(&db, 20_000, 2).await.id();
    due(&client, show, 10_000).await;
    let sql = "UPDATE bookings SET expires_at = now() + interval '1 hour'";
    client.batch_execute(sql).await.unwrap();
    database.admin_client().await.batch_execute("VACUUM ANALYZE bookings").await.unwrap();
    for statement in [include_str!("../../../src/bookings/due.sql"), common::broken::SWEEP] {
        let explain =
            format!("EXPLAIN (ANALYZE) {statement}").replace("$1", "1000::bigint").replace("$2", "'{}'::bigint[]");
        let plan = common::plan(&client, &explain).await;
        assert!(plan.contains("Index Cond: (expires_at <= statement_timestamp())"), "{plan}");
        assert!(!plan.contains("Rows Removed by Filter"), "{plan}");
    }
    assert_eq!(bookings::sweep(&db).await.unwrap(), 0);
}
