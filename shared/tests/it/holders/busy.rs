//! Many concurrent bookings of one holder: a few wait for the holder's lock, the others are refused immediately.

use super::counts::of;
use crate::common::{self, NO_LIMITS, db, request, show, wait};
use boxoffice_shared::{
    Error, bookings,
    holders::{Holder, HolderLimits},
};
use boxoffice_testkit::{invariants::assert_invariants, postgres::Database};
use tokio::task::JoinSet;

/// Up to three bookings of a holder wait for their turn (more with an allowance), each with a connection. Further ones
/// are refused immediately, and other holders do not wait.
#[tokio::test]
async fn excess_concurrent_bookings_of_one_holder_are_refused_immediately() {
    for (allowance, waiting) in [(1, 3), (2, 7), (100, 15)] {
        let database = Database::create().await;
        let db = db(&database, 20);
        let show = show(&db, 1_000, 4).await.id();
        let partner = Holder::of_api_key("acme").unwrap();
        let limits = HolderLimits { partner_allowance: allowance, ..NO_LIMITS };
        let (holder, watcher) = (database.admin_client().await, database.admin_client().await);
        holder.batch_execute(&format!("BEGIN; SELECT lock_holder({show}, 'key:acme')")).await.unwrap();
        let mut queue = JoinSet::new();
        for _ in 0..waiting {
            let (db, order) = (db.clone(), of(&partner, limits, show, 1));
            queue.spawn(async move { bookings::book(&db, &order).await });
        }
        wait::until_waiting(&watcher, waiting).await;
        // Twice the size of the pool: a refused booking keeps no connection.
        for _ in 0..40 {
            let refused = bookings::book(&db, &of(&partner, limits, show, 1)).await;
            assert!(matches!(refused, Err(Error::HolderBusy)), "{refused:?}");
        }
        assert!(Error::HolderBusy.retryable());
        // Other holders and other shows are not affected.
        bookings::book(&db, &request(show, 1)).await.unwrap();
        let other = common::show(&db, 10, 1).await.id();
        bookings::book(&db, &of(&partner, limits, other, 1)).await.unwrap();
        holder.batch_execute("COMMIT").await.unwrap();
        for booked in queue.join_all().await {
            booked.unwrap();
        }
        assert_invariants(&watcher).await;
    }
}

/// The same for seats in several pools: `lock_holder.sql` refuses the booking before all pools are locked.
#[tokio::test]
async fn busy_holder_locks_no_pools() {
    let database = Database::create().await;
    let client = database.client().await;
    let (holder, others) =
        (database.admin_client().await, [database.client().await, database.client().await, database.client().await]);
    let show = show(&db(&database, 1), 4, 4).await.id();
    holder.batch_execute(&format!("BEGIN; SELECT lock_holder({show}, 'sub:ada')")).await.unwrap();
    let wait_for_a_turn = format!("SELECT admit({show}, 'sub:ada', 1, 10, 10, 5, 120, 1, NULL)");
    let waits = others.map(|other| {
        let sql = wait_for_a_turn.clone();
        tokio::spawn(async move { other.batch_execute(&sql).await })
    });
    wait::until_waiting(&client, 3).await;
    let error = client
        .query(include_str!("../../../src/bookings/book/lock_holder.sql"), &[&show.get(), &"sub:ada", &1_i32])
        .await
        .unwrap_err();
    assert_eq!(error.code().unwrap().code(), "BXBSY");
    holder.batch_execute("COMMIT").await.unwrap();
    for wait in waits {
        wait.await.unwrap().unwrap();
    }
}
