//! The cost of an operation on the wire and on the server: one round trip, one statement, one transaction.

use std::{collections::BTreeSet, time::Duration};

use crate::common::{self, age, db_at, keyed, pay, request, show, turns::Turns, unnamed_db_at};
use boxoffice_shared::{
    Error,
    bookings::{self, BookRequest, Hold},
    holders::{Holder, Subject, Viewer},
    page::PageLimit,
    payments::{self, PaymentState, Provider},
    platform::db::Db,
    privacy::{self, Retention},
    shows,
};
use boxoffice_testkit::postgres::{Database, Options, Server};

/// The longest a hold can be extended to, counted from the booking's creation.
const CEILING: Duration = Duration::from_secs(600);

/// The result of a call and its number of round trips.
async fn cost<T>(turns: &Turns, call: impl Future<Output = T>) -> (T, u64) {
    let before = turns.count();
    let answer = call.await;
    (answer, turns.count() - before)
}

/// The two ways in which the Lambdas send statements: prepared once per connection, or unnamed (for RDS Proxy).
const WAYS: [fn(&str, u16) -> Db; 2] = [db_at, unnamed_db_at];

/// A pool of one connection, on which every statement has run once.
async fn warm_db(database: &Database, turns: &Turns, way: fn(&str, u16) -> Db) -> Db {
    let db = way(&database.url_at(turns.port(), "disable"), 1);
    let show = show(&db, 5, 5).await.id();
    let id = bookings::book(&db, &keyed(show, 4, "k")).await.unwrap().booking.id();
    bookings::book(&db, &keyed(show, 4, "k")).await.unwrap();
    bookings::get(&db, id, Viewer::Bearer(None)).await.unwrap();
    shows::get(&db, show).await.unwrap();
    shows::list(&db, "1".parse().unwrap(), None).await.unwrap();
    bookings::cancel(&db, id, None).await.unwrap();
    bookings::confirm(&db, id).await.unwrap_err();
    bookings::expire(&db, &BTreeSet::from([id])).await.unwrap();
    bookings::sweep(&db).await.unwrap();
    bookings::extend(&db, id, None, Hold::DEFAULT, CEILING).await.unwrap_err();
    payments::record(&db, &pay::success("evt_0", "pi_0", id, 4), &common::NO_LIMITS).await.unwrap();
    payments::list(&db, PaymentState::Failed, PageLimit::DEFAULT, None).await.unwrap();
    payments::settle(&db, Provider::Stripe, &"pi_0".try_into().unwrap()).await.unwrap();
    payments::list_unreadable(&db, PageLimit::DEFAULT, None).await.unwrap();
    payments::replay(&db, &pay::success("evt_0", "pi_0", id, 4), &common::NO_LIMITS).await.unwrap();
    let (ada, retention) = (Subject::try_from("ada").unwrap(), Retention::DEFAULT);
    privacy::export(&db, &ada, PageLimit::DEFAULT, None).await.unwrap();
    privacy::erase(&db, &ada).await.unwrap();
    privacy::empty_payloads(&db, retention).await.unwrap();
    let old = "UPDATE shows SET start_time = now() - interval '2 years' WHERE id = $1";
    database.client().await.execute(old, &[&show.get()]).await.unwrap();
    let old = privacy::due_show(&db, retention, None).await.unwrap().unwrap();
    privacy::anonymise(&db, old, None).await.unwrap();
    privacy::mark_anonymised(&db, old).await.unwrap();
    db
}

#[tokio::test]
async fn every_operation_takes_one_round_trip() {
    for way in WAYS {
        one_round_trip_each(way).await;
    }
}

async fn one_round_trip_each(way: fn(&str, u16) -> Db) {
    let database = Database::create().await;
    let turns = Turns::start(database.port()).await;
    let db = warm_db(&database, &turns, way).await;
    let client = database.client().await;
    let show = show(&db, 100, 4).await.id();

    let (booked, book) = cost(&turns, bookings::book(&db, &request(show, 2))).await;
    let sold = booked.unwrap().booking.id();
    let (booked, book_with_key) = cost(&turns, bookings::book(&db, &keyed(show, 2, "k"))).await;
    let cancelled = booked.unwrap().booking.id();
    let expired = bookings::book(&db, &request(show, 2)).await.unwrap().booking.id();
    let swept = bookings::book(&db, &request(show, 2)).await.unwrap().booking.id();
    age(&client, expired, 120.0).await;

    let mut costs = vec![("book", book), ("book with a key", book_with_key)];
    costs.push(("confirm", cost(&turns, async { bookings::confirm(&db, sold).await.unwrap() }).await.1));
    costs.push(("confirm again", cost(&turns, async { bookings::confirm(&db, sold).await.unwrap() }).await.1));
    costs.push(("cancel", cost(&turns, async { bookings::cancel(&db, cancelled, None).await.unwrap() }).await.1));
    let batch = BTreeSet::from([sold, cancelled, expired, swept]);
    costs.push(("expire", cost(&turns, async { bookings::expire(&db, &batch).await.unwrap() }).await.1));
    age(&client, swept, 120.0).await;
    costs.push(("sweep", cost(&turns, async { assert_eq!(bookings::sweep(&db).await.unwrap(), 1) }).await.1));
    costs.push((
        "get booking",
        cost(&turns, async { bookings::get(&db, sold, Viewer::Bearer(None)).await.unwrap() }).await.1,
    ));
    costs.push(("get show", cost(&turns, async { shows::get(&db, show).await.unwrap() }).await.1));
    costs.push(("list shows", cost(&turns, shows::list(&db, "50".parse().unwrap(), None)).await.1));
    let priced = pay::priced_show(&db, 10, 2).await.id();
    let paid = bookings::book(&db, &request(priced, 2)).await.unwrap().booking.id();
    costs.push(("extend", cost(&turns, bookings::extend(&db, paid, None, Hold::DEFAULT, CEILING)).await.1));
    // A payment in time, and a late one that takes the seats again.
    let event = pay::success("evt_1", "pi_1", paid, 2);
    costs.push((
        "record a payment",
        cost(&turns, async { payments::record(&db, &event, &common::NO_LIMITS).await.unwrap() }).await.1,
    ));
    let late = bookings::book(&db, &request(priced, 2)).await.unwrap().booking.id();
    age(&client, late, 120.0).await;
    bookings::sweep(&db).await.unwrap();
    let event = pay::success("evt_2", "pi_2", late, 2);
    costs.push((
        "record a late one",
        cost(&turns, async { payments::record(&db, &event, &common::NO_LIMITS).await.unwrap() }).await.1,
    ));
    let page = payments::list(&db, PaymentState::Confirmed, PageLimit::DEFAULT, None);
    costs.push(("list payments", cost(&turns, async { assert_eq!(page.await.unwrap().items.len(), 2) }).await.1));
    let due = "pi_0".try_into().unwrap();
    costs.push(("settle a payment", cost(&turns, payments::settle(&db, Provider::Stripe, &due)).await.1));
    let page = payments::list_unreadable(&db, PageLimit::DEFAULT, None);
    costs.push(("list events", cost(&turns, async { assert!(page.await.unwrap().items.is_empty()) }).await.1));
    costs.push((
        "replay a payment",
        cost(&turns, async { payments::replay(&db, &event, &common::NO_LIMITS).await.unwrap() }).await.1,
    ));
    let ada = Subject::try_from("ada").unwrap();
    let mine = BookRequest { holder: Holder::of_subject(&ada), ..request(show, 1) };
    bookings::book(&db, &mine).await.unwrap();
    let erase = cost(&turns, async { assert_eq!(privacy::erase(&db, &ada).await.unwrap(), 1) }).await.1;
    costs.push(("erase a subject", erase));
    let old = "UPDATE shows SET start_time = now() - interval '2 years'";
    client.batch_execute(old).await.unwrap();
    let (due, find) = cost(&turns, privacy::due_show(&db, Retention::DEFAULT, None)).await;
    costs.push(("find a due show", find));
    let due = due.unwrap().unwrap();
    costs.push(("anonymise bookings", cost(&turns, privacy::anonymise(&db, due, None)).await.1));
    costs.push(("mark a show", cost(&turns, privacy::mark_anonymised(&db, due)).await.1));
    client.batch_execute("UPDATE payment_events SET received_at = now() - interval '2 years'").await.unwrap();
    costs.push(("empty payloads", cost(&turns, privacy::empty_payloads(&db, Retention::DEFAULT)).await.1));
    for (name, round_trips) in costs {
        println!("{name}: {round_trips} round trips");
        assert_eq!(round_trips, 1, "{name}");
    }
}

/// Rarer cases take a bounded number of round trips. A refusal takes two. Seats across pools take three: the first
/// attempt, the reason for its refusal, and a pipelined transaction.
#[tokio::test]
async fn refusals_and_scattered_seats_take_few_round_trips() {
    for way in WAYS {
        let database = Database::create().await;
        let turns = Turns::start(database.port()).await;
        let db = warm_db(&database, &turns, way).await;
        let scattered = show(&db, 4, 4).await.id();
        let (answer, across) = cost(&turns, bookings::book(&db, &request(scattered, 3))).await;
        answer.unwrap();
        let (answer, sold_out) = cost(&turns, bookings::book(&db, &request(scattered, 3))).await;
        assert!(matches!(answer, Err(Error::SoldOut { available: 1 })));
        println!("book seats of several pools: {across} round trips; sold out: {sold_out}");
        assert!(across <= 3, "{across}");
        assert!(sold_out <= 2, "{sold_out}");
    }
}

/// An export reads bookings, payments and events, one statement each.
#[tokio::test]
async fn an_export_takes_three_round_trips_a_page() {
    for way in WAYS {
        let database = Database::create().await;
        let turns = Turns::start(database.port()).await;
        let db = warm_db(&database, &turns, way).await;
        let show = show(&db, 10, 1).await.id();
        let ada = Subject::try_from("ada").unwrap();
        for _ in 0..2 {
            bookings::book(&db, &BookRequest { holder: Holder::of_subject(&ada), ..request(show, 1) }).await.unwrap();
        }
        let (page, export) = cost(&turns, privacy::export(&db, &ada, PageLimit::DEFAULT, None)).await;
        assert_eq!((page.unwrap().items.len(), export), (2, 3));
    }
}

/// The server's log shows one statement for each booking, without BEGIN and COMMIT.
#[tokio::test]
async fn a_booking_sends_one_statement() {
    let server = Server::start(&Options::fast().setting("log_statement", "all"));
    let database = server.create_database().await;
    let turns = Turns::start(database.port()).await;
    let ways = [warm_db(&database, &turns, db_at).await, warm_db(&database, &turns, unnamed_db_at).await];
    // Each pool has enough seats for all 200 bookings, so no booking needs a second statement to find another pool.
    let show = show(&ways[0], 2_000, 4).await.id();
    let statements = || {
        let log = server.log();
        let of_ours = log.lines().filter(|line| line.contains(&format!("boxoffice_app@{} ", database.name())));
        of_ours.filter(|line| line.contains("LOG:  execute ") || line.contains("LOG:  statement: ")).count()
    };
    for db in ways {
        let before = statements();
        for _ in 0..100 {
            bookings::book(&db, &request(show, 2)).await.unwrap();
        }
        let sent = statements() - before;
        println!("statements a booking: {}", f64::from(u32::try_from(sent).unwrap()) / 100.0);
        assert_eq!(sent, 100);
    }
}
