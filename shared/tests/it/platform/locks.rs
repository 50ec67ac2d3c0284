//! Lock and statement timeouts, and retries after deadlocks.

use std::collections::BTreeSet;

use crate::common::{age, age_all, count, db, instances, request, show, wait};
use boxoffice_shared::{
    Error,
    bookings::{self, BookingStatus, ExpireOutcome},
    holders::Viewer,
    shows,
};
use boxoffice_testkit::{invariants::assert_invariants, postgres::Database};

/// Every operation that waits for a lock fails with `Busy` after 2 s, the role's `lock_timeout`. Reads and the sweep do
/// not wait at all.
#[tokio::test]
async fn lock_timeout_is_reported_as_busy() {
    let database = Database::create().await;
    let client = database.client().await;
    let counters = instances(&database.url(), 4).await;
    let show = show(&counters[0], 100, 4).await.id();
    let held = bookings::book(&counters[0], &request(show, 2)).await.unwrap().booking;
    age(&client, held.id(), 120.0).await;
    let holder = database.admin_client().await;
    holder.batch_execute("BEGIN; SELECT FROM bookings FOR UPDATE; SELECT FROM seat_pools FOR UPDATE").await.unwrap();

    let (batch, order) = (BTreeSet::from([held.id()]), request(show, 2));
    let (booked, confirmed, cancelled, expired) = tokio::join!(
        bookings::book(&counters[0], &order),
        bookings::confirm(&counters[1], held.id()),
        bookings::cancel(&counters[2], held.id(), None),
        bookings::expire(&counters[3], &batch),
    );
    for (name, busy) in [
        ("book", matches!(booked, Err(Error::Busy(_)))),
        ("confirm", matches!(confirmed, Err(Error::Busy(_)))),
        ("cancel", matches!(cancelled, Err(Error::Busy(_)))),
        ("expire", matches!(expired, Err(Error::Busy(_)))),
    ] {
        assert!(busy, "{name}: {booked:?} {confirmed:?} {cancelled:?} {expired:?}");
    }
    assert!(booked.unwrap_err().retryable());
    // Operations that do not wait for locks are not delayed.
    assert_eq!(bookings::sweep(&counters[0]).await.unwrap(), 0);
    assert_eq!(
        bookings::get(&counters[1], held.id(), Viewer::Bearer(None)).await.unwrap().status(),
        BookingStatus::Pending
    );
    assert_eq!(shows::get(&counters[2], show).await.unwrap().available_seats(), 98);

    holder.batch_execute("COMMIT").await.unwrap();
    // Nothing changed, and the connections still work.
    assert_eq!(count(&client, "PENDING").await, 1);
    bookings::book(&counters[0], &order).await.unwrap();
    assert!(matches!(bookings::confirm(&counters[1], held.id()).await, Err(Error::BookingExpired)));
    assert_eq!(bookings::expire(&counters[3], &batch).await.unwrap()[&held.id()], ExpireOutcome::Expired);
    assert_invariants(&client).await;
}

/// The lock timeout strikes while all pools are being locked, in the middle of a pipelined transaction.
#[tokio::test]
async fn lock_timeout_on_all_pools_is_reported_as_busy() {
    let database = Database::create().await;
    let db = db(&database, 1);
    let show = show(&db, 2, 2).await.id();
    let holder = database.admin_client().await;
    holder.batch_execute("BEGIN; SELECT FROM seat_pools WHERE pool_no = 1 FOR UPDATE").await.unwrap();
    let order = request(show, 2);
    assert!(matches!(bookings::book(&db, &order).await, Err(Error::Busy(_))));
    holder.batch_execute("COMMIT").await.unwrap();
    // The same connection works: its transaction was rolled back.
    bookings::book(&db, &order).await.unwrap();
    assert_invariants(&database.client().await).await;
}

#[tokio::test]
async fn statement_timeout_is_reported_as_busy() {
    let database = Database::create().await;
    let admin = database.admin_client().await;
    // A shorter statement timeout than in production, and shorter than the lock timeout.
    let set = format!("ALTER ROLE boxoffice_app IN DATABASE {} SET statement_timeout = '200ms'", database.name());
    admin.batch_execute(&set).await.unwrap();
    let db = db(&database, 1);
    let show = show(&db, 10, 1).await.id();
    admin.batch_execute("BEGIN; SELECT FROM seat_pools FOR UPDATE").await.unwrap();
    assert!(matches!(bookings::book(&db, &request(show, 1)).await, Err(Error::Busy(_))));
    admin.batch_execute("COMMIT").await.unwrap();
    bookings::book(&db, &request(show, 1)).await.unwrap();
}

/// The timeouts that the migration sets for the role apply to every connection of the Lambdas.
#[tokio::test]
async fn the_role_has_its_timeouts() {
    let client = Database::create().await.client_as("boxoffice_app").await;
    for (name, value) in
        [("lock_timeout", "2s"), ("statement_timeout", "4s"), ("idle_in_transaction_session_timeout", "5s")]
    {
        let shown: String = client.query_one(&format!("SHOW {name}"), &[]).await.unwrap().get(0);
        assert_eq!(shown, value, "{name}");
    }
}

/// Of two transactions that wait for each other, the server aborts one. If it is ours, it is retried.
#[tokio::test]
async fn a_deadlocked_transaction_is_retried() {
    let database = Database::create().await;
    let db = db(&database, 1);
    let show = show(&db, 10, 1).await.id();
    let mut ids = BTreeSet::new();
    for _ in 0..2 {
        ids.insert(bookings::book(&db, &request(show, 1)).await.unwrap().booking.id());
    }
    let watcher = database.admin_client().await;
    age_all(&watcher, 120.0).await;
    let (first, last) = (ids.first().unwrap(), ids.last().unwrap());
    let rival = database.admin_client().await;
    // The rival checks for deadlocks only after 1 minute, so the operation, which checks after the default 1 s, is
    // aborted.
    rival.batch_execute("SET deadlock_timeout = '1min'; BEGIN").await.unwrap();
    let lock = "SELECT FROM bookings WHERE id = $1 FOR UPDATE";
    rival.execute(lock, &[&last.uuid()]).await.unwrap();
    let rival_pid = wait::pid(&rival).await;
    let (outcomes, ()) = tokio::join!(bookings::expire(&db, &ids), async {
        // The operation has locked the first booking and waits for the last, which the rival has. Now the rival wants
        // the first.
        wait::until_blocked(&watcher, rival_pid, 1).await;
        rival.execute(lock, &[&first.uuid()]).await.unwrap();
        rival.batch_execute("COMMIT").await.unwrap();
    });
    assert!(outcomes.unwrap().values().all(|outcome| *outcome == ExpireOutcome::Expired));
    let sql = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    wait::until("the server counts the deadlock", async || {
        watcher.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) == 1
    })
    .await;
    assert_invariants(&watcher).await;
}
