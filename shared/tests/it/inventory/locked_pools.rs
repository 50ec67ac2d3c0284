//! Operations skip a locked pool and use another one.

use std::collections::BTreeSet;

use crate::common::{
    NO_LIMITS, age, book_unless_busy, db, free, instances,
    pay::{event, priced_show, success},
    request, set_free, show,
};
use boxoffice_shared::{
    Error,
    bookings::{self, ExpireOutcome},
    payments::{self, PaymentChange, Recorded, Refund},
    shows::ShowId,
};
use boxoffice_testkit::{invariants::assert_invariants, postgres::Database};
use tokio::task::JoinSet;
use tokio_postgres::Client;

/// Opens a transaction that locks the show's pool 0 until it is committed.
async fn lock(database: &Database, show: ShowId) -> Client {
    let keeper = database.admin_client().await;
    let sql = format!("BEGIN; SELECT FROM seat_pools WHERE show_id = {show} AND pool_no = 0 FOR UPDATE");
    keeper.batch_execute(&sql).await.unwrap();
    keeper
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bookings_skip_a_locked_pool() {
    let database = Database::create().await;
    let client = database.client().await;
    let counters = instances(&database.url(), 8).await;
    for pools in [16, 2] {
        let show = show(&counters[0], 1_600, pools).await.id();
        let keeper = lock(&database, show).await;
        let mut clerks = JoinSet::new();
        for db in counters.clone() {
            clerks.spawn(async move {
                for _ in 0..25 {
                    book_unless_busy(&db, &request(show, 2)).await.unwrap();
                }
            });
        }
        clerks.join_all().await;
        let now_free = free(&client, show).await;
        assert_eq!(now_free.iter().sum::<i32>(), 1_600 - 8 * 25 * 2);
        assert_eq!(i64::from(now_free[0]), 1_600 / pools, "pool 0 should still be locked");
        assert_invariants(&client).await;
        keeper.batch_execute("COMMIT").await.unwrap();
    }
}

#[tokio::test]
async fn released_seats_skip_a_locked_pool() {
    let database = Database::create().await;
    let (db, client) = (db(&database, 1), database.client().await);
    let show = show(&db, 1_600, 16).await.id();
    let mut held = Vec::new();
    for _ in 0..40 {
        held.push(bookings::book(&db, &request(show, 2)).await.unwrap().booking.id());
    }
    let keeper = lock(&database, show).await;
    let before = free(&client, show).await[0];
    for id in &held[..20] {
        bookings::cancel(&db, *id, None).await.unwrap();
    }
    for id in &held[20..] {
        age(&client, *id, 120.0).await;
        let batch = BTreeSet::from([*id]);
        assert_eq!(bookings::expire(&db, &batch).await.unwrap()[id], ExpireOutcome::Expired);
    }
    assert_eq!(free(&client, show).await[0], before, "pool 0 should still be locked");
    assert_eq!(free(&client, show).await.iter().sum::<i32>(), 1_600);
    assert_invariants(&client).await;
    keeper.batch_execute("COMMIT").await.unwrap();
}

/// A late payment takes seats again and a refund releases them. Neither waits for the locked pool.
#[tokio::test]
async fn payments_skip_a_locked_pool() {
    let database = Database::create().await;
    let (db, client) = (db(&database, 1), database.client().await);
    let show = priced_show(&db, 1_600, 4).await.id();
    let mut held = Vec::new();
    for _ in 0..20 {
        held.push(bookings::book(&db, &request(show, 2)).await.unwrap().booking.id());
    }
    for id in &held {
        age(&client, *id, 120.0).await;
    }
    assert_eq!(bookings::sweep(&db).await.unwrap(), 20);
    let keeper = lock(&database, show).await;
    let before = free(&client, show).await[0];
    for (number, id) in held.iter().enumerate() {
        let paid = success(&format!("evt_{number}"), &format!("pi_{number}"), *id, 2);
        assert_eq!(payments::record(&db, &paid, &NO_LIMITS).await.unwrap(), Recorded::Confirmed);
        let refund =
            event(&format!("evt_back_{number}"), &format!("pi_{number}"), None, PaymentChange::Refunded(Refund::Full));
        assert_eq!(payments::record(&db, &refund, &NO_LIMITS).await.unwrap(), Recorded::Refunded);
    }
    assert_eq!(free(&client, show).await[0], before, "pool 0 should still be locked");
    assert_eq!(free(&client, show).await.iter().sum::<i32>(), 1_600);
    assert_invariants(&client).await;
    keeper.batch_execute("COMMIT").await.unwrap();
}

/// "Sold out" counts the seats of all pools, locked or not. If there are enough seats but they are locked, the show is
/// busy.
#[tokio::test]
async fn locked_seats_are_busy_and_not_sold_out() {
    let database = Database::create().await;
    let (db, client) = (db(&database, 1), database.client().await);
    let show = show(&db, 5, 2).await.id();
    set_free(&client, show, 0, 5).await;
    set_free(&client, show, 1, 0).await;
    let keeper = lock(&database, show).await;
    let refused = bookings::book(&db, &request(show, 2)).await;
    assert!(matches!(refused, Err(Error::Busy(_))), "{refused:?}");
    assert!(matches!(bookings::book(&db, &request(show, 6)).await, Err(Error::SoldOut { available: 5 })));
    keeper.batch_execute("COMMIT").await.unwrap();
    bookings::book(&db, &request(show, 2)).await.unwrap();
    assert_eq!(free(&client, show).await, [3, 0]);
    assert_invariants(&client).await;
}
