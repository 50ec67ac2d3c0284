//! Many buyers at once: exactly the available seats are sold, and no booking is refused without reason.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use crate::common::{book_unless_busy, count, db, free, instances, keyed, request, show};
use boxoffice_shared::{
    Error,
    bookings::{self, BookingId},
    inventory::Pools,
    shows,
};
use boxoffice_testkit::{
    invariants::{assert_invariants, violations},
    postgres::Database,
    rng::SeededRng,
};
use rand::RngExt as _;
use tokio::{sync::Barrier, task::JoinSet};
use tokio_postgres::Client;

const BUYERS: usize = 500;
const AT_ONCE: usize = 200;
const SEATS: i64 = 100;

/// Lets `BUYERS` buyers buy: one after the other at each counter, and all counters start at the same moment.
async fn race<C, F, T>(counters: Vec<C>, buy: impl Fn(C) -> F + Clone + Send + 'static) -> Vec<T>
where
    C: Clone + Send + 'static,
    F: Future<Output = T> + Send,
    T: Send + 'static,
{
    let (start, next) = (Arc::new(Barrier::new(counters.len())), Arc::new(AtomicUsize::new(0)));
    let mut tasks = JoinSet::new();
    for counter in counters {
        let (start, next, buy) = (start.clone(), next.clone(), buy.clone());
        tasks.spawn(async move {
            start.wait().await;
            let mut answers = Vec::new();
            while next.fetch_add(1, Ordering::Relaxed) < BUYERS {
                answers.push(buy(counter.clone()).await);
            }
            answers
        });
    }
    tasks.join_all().await.into_iter().flatten().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_buyers_get_exactly_a_hundred_seats() {
    let database = Database::create().await;
    let client = database.client().await;
    let counters = instances(&database.url(), AT_ONCE).await;
    for pools in [1, 4, 16] {
        let show = show(&counters[0], SEATS, pools).await.id();
        let answers =
            race(counters.clone(), move |db| async move { book_unless_busy(&db, &request(show, 1)).await }).await;
        assert_eq!(answers.len(), BUYERS);
        let sold = answers.iter().filter(|answer| answer.is_ok()).count();
        let refused = answers.iter().filter(|answer| matches!(answer, Err(Error::SoldOut { available: 0 }))).count();
        let other = answers.iter().find(|answer| !matches!(answer, Ok(_) | Err(Error::SoldOut { available: 0 })));
        assert_eq!(
            (sold, refused),
            (100, 400),
            "{pools} pools; an answer that is neither a booking nor sold out: {other:?}"
        );
        // Counts rows, independently of the answers.
        let rows = "SELECT count(*) FROM bookings WHERE show_id = $1 AND seats = 1 AND status = 'PENDING'";
        assert_eq!(client.query_one(rows, &[&show.get()]).await.unwrap().get::<_, i64>(0), 100);
        assert_eq!(free(&client, show).await.iter().sum::<i32>(), 0);
        assert_invariants(&client).await;
    }
}

/// The same race without the lock. It must oversell, or else the test above proves nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn race_without_the_lock_oversells() {
    let database = Database::create().await;
    let db = db(&database, 1);
    let show = show(&db, SEATS, 1).await.id();
    let mut counters = Vec::new();
    for _ in 0..AT_ONCE {
        counters.push((Arc::new(database.client().await), Arc::new(AtomicUsize::new(0))));
    }
    // The first buyers of all counters read before any of them writes.
    let all_have_looked = Arc::new(Barrier::new(AT_ONCE));
    let answers = race(counters, move |(client, served): (Arc<Client>, Arc<AtomicUsize>)| {
        let all_have_looked = all_have_looked.clone();
        async move {
            let look = client.query_one(include_str!("../broken/book_read.sql"), &[&show.get()]).await.unwrap();
            let seen: i32 = look.get(0);
            if served.fetch_add(1, Ordering::Relaxed) == 0 {
                all_have_looked.wait().await;
            }
            if seen < 1 {
                return false;
            }
            let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
                [&show.get(), &BookingId::generate(show).uuid(), &seen];
            client.execute(include_str!("../broken/book_write.sql"), &parameters).await.unwrap();
            true
        }
    })
    .await;
    let sold = answers.iter().filter(|sold| **sold).count();
    assert!(sold >= AT_ONCE, "{sold} sold, although the first {AT_ONCE} buyers all read {SEATS} free seats");
    let found = violations(&database.client().await).await;
    assert_eq!(found.len(), 1, "the invariants should report the oversold show: {found:?}");
    assert!(found[0].contains("free"), "{found:?}");
}

/// Bookings of several sizes until no seat is left. Each refusal reports correctly how many seats were left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn last_seats_are_sold_from_any_pool() {
    let database = Database::create().await;
    let client = database.client().await;
    let counters = instances(&database.url(), 16).await;
    for pools in [1, 4, 16, 64] {
        let show = show(&counters[0], 203, pools).await.id();
        let answers = race(counters.clone(), move |db| async move {
            let seats = rand::rng().random_range(1..=7);
            (seats, bookings::book(&db, &request(show, seats)).await)
        })
        .await;
        let left = i64::from(free(&client, show).await.iter().sum::<i32>());
        let mut sold = 0;
        for (seats, answer) in answers {
            match answer {
                Ok(booked) => sold += i64::from(booked.booking.seats()),
                Err(Error::SoldOut { available }) => {
                    assert!(available < seats, "{seats} seats were refused although {available} were free");
                    assert!(
                        available >= left,
                        "{available} seats were reported as left, but {left} are left at the end"
                    );
                }
                Err(error) => panic!("{error:?}"),
            }
        }
        assert_eq!(sold + left, 203, "{pools} pools");
        assert_eq!(left, 0, "500 buyers, a seventh of whom want one seat, should leave none");
        assert_invariants(&client).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_buyer_of_three_seats_wins_the_four_left_in_four_pools() {
    let database = Database::create().await;
    let client = database.client().await;
    let counters = instances(&database.url(), 8).await;
    for round in 0..25 {
        // Each pool has ten seats. Four bookings of nine seats need a pool each, and leave one seat in each.
        let show = show(&counters[0], 40, 4).await.id();
        for _ in 0..4 {
            bookings::book(&counters[0], &request(show, 9)).await.unwrap();
        }
        assert_eq!(free(&client, show).await, [1, 1, 1, 1]);
        let start = Arc::new(Barrier::new(counters.len()));
        let mut buyers = JoinSet::new();
        for db in counters.clone() {
            let start = start.clone();
            buyers.spawn(async move {
                start.wait().await;
                bookings::book(&db, &request(show, 3)).await
            });
        }
        let answers = buyers.join_all().await;
        let sold = answers.iter().filter(|answer| answer.is_ok()).count();
        let refused = answers.iter().filter(|answer| matches!(answer, Err(Error::SoldOut { available: 1 }))).count();
        assert_eq!((sold, refused), (1, 7), "round {round}: {answers:?}");
        assert_eq!(free(&client, show).await.iter().sum::<i32>(), 1);
    }
    assert_invariants(&client).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_requests_with_one_key_make_one_booking() {
    let database = Database::create().await;
    let client = database.client().await;
    let counters = instances(&database.url(), 4).await;
    let show = show(&counters[0], 1_000, 4).await.id();
    let rounds = 100;
    for round in 0..rounds {
        let start = Arc::new(Barrier::new(counters.len()));
        let mut twins = JoinSet::new();
        for db in counters.clone() {
            let start = start.clone();
            twins.spawn(async move {
                start.wait().await;
                bookings::book(&db, &keyed(show, 2, &format!("key-{round}"))).await.unwrap()
            });
        }
        let booked = twins.join_all().await;
        assert!(booked.iter().all(|b| b.booking == booked[0].booking), "round {round}: {booked:?}");
        assert_eq!(
            booked.iter().filter(|b| !b.replayed).count(),
            1,
            "round {round}: one request should make the booking, the others should find it"
        );
        let other = bookings::book(&counters[round % 4], &keyed(show, 3, &format!("key-{round}"))).await;
        assert!(matches!(other, Err(Error::IdempotencyKeyReused)), "{other:?}");
    }
    assert_eq!(count(&client, "PENDING").await, rounds as i64);
    assert_eq!(free(&client, show).await.iter().sum::<i32>(), 1_000 - 2 * rounds as i32);
    assert_invariants(&client).await;
}

/// Concurrent requests with one key and different bodies: one gets the key. The other is refused and holds no seats.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn different_concurrent_requests_with_one_key_make_one_booking() {
    let database = Database::create().await;
    let client = database.client().await;
    let counters = instances(&database.url(), 2).await;
    let show = show(&counters[0], 1_000, 4).await.id();
    for round in 0..50 {
        let key = format!("key-{round}");
        let (one, two) = (keyed(show, 2, &key), keyed(show, 3, &key));
        match tokio::join!(bookings::book(&counters[0], &one), bookings::book(&counters[1], &two)) {
            (Ok(booked), Err(Error::IdempotencyKeyReused)) => assert_eq!(booked.booking.seats(), 2),
            (Err(Error::IdempotencyKeyReused), Ok(booked)) => assert_eq!(booked.booking.seats(), 3),
            other => panic!("round {round}: {other:?}"),
        }
    }
    assert_eq!(count(&client, "PENDING").await, 50);
    assert_invariants(&client).await;
}

/// Books, confirms and cancels concurrently in a nearly sold-out show, in a random but repeatable order, while an
/// operator changes its number of pools.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_bookings_and_releases_lose_no_seat() {
    let database = Database::create().await;
    let client = database.client().await;
    let counters = instances(&database.url(), 16).await;
    let show = show(&counters[0], 60, 8).await.id();
    let seed = SeededRng::new();
    let mut clerks = JoinSet::new();
    for (number, db) in counters.into_iter().enumerate() {
        let mut rng = SeededRng::from_seed(seed.seed() + number as u64);
        clerks.spawn(async move {
            for _ in 0..40 {
                let seats = rng.random_range(1..=9);
                let booked = match bookings::book(&db, &request(show, seats)).await {
                    Ok(booked) => booked.booking,
                    Err(Error::SoldOut { available }) => {
                        assert!(available < seats);
                        continue;
                    }
                    Err(error) => panic!("{error:?}"),
                };
                if rng.random_bool(0.1) {
                    bookings::confirm(&db, booked.id()).await.unwrap();
                } else {
                    bookings::cancel(&db, booked.id(), None).await.unwrap();
                }
            }
        });
    }
    let operator = db(&database, 1);
    for pools in [16, 1, 3, 8].into_iter().cycle() {
        if clerks.is_empty() {
            break;
        }
        shows::set_pools(&operator, show, Pools::try_from(pools).unwrap()).await.unwrap();
        // The invariants hold at every moment, not only at the end.
        assert_invariants(&client).await;
        if let Some(ended) = clerks.try_join_next() {
            ended.unwrap();
        }
    }
}
