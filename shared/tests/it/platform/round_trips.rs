//! What an operation costs on the wire and on the server: one round trip, one statement, one transaction.

use std::{collections::BTreeSet, time::Duration};

use crate::common::{self, age, db_at, keyed, pay, request, show, turns::Turns, unnamed_db_at};
use boxoffice_shared::{
    Error,
    db::Db,
    model::{Hold, Holder, PageLimit, PaymentState, Provider, Retention, Subject, Viewer},
    ops::{self, BookRequest},
};
use boxoffice_testkit::postgres::{Database, Options, Server};

/// Of extensions, from the booking's creation.
const CEILING: Duration = Duration::from_secs(600);

/// The round trips of a call.
async fn cost<T>(turns: &Turns, call: impl Future<Output = T>) -> (T, u64) {
    let before = turns.count();
    let answer = call.await;
    (answer, turns.count() - before)
}

/// How the Lambdas send statements: prepared once a connection, and without a name, for RDS Proxy.
const WAYS: [fn(&str, u16) -> Db; 2] = [db_at, unnamed_db_at];

/// A pool of one connection, on which every statement has run once.
async fn warm_db(database: &Database, turns: &Turns, way: fn(&str, u16) -> Db) -> Db {
    let db = way(&database.url_at(turns.port(), "disable"), 1);
    let show = show(&db, 5, 5).await.id();
    let id = ops::book(&db, &keyed(show, 4, "k")).await.unwrap().booking.id();
    ops::book(&db, &keyed(show, 4, "k")).await.unwrap();
    ops::get_booking(&db, id, Viewer::Bearer(None)).await.unwrap();
    ops::get_show(&db, show).await.unwrap();
    ops::list_shows(&db, "1".parse().unwrap(), None).await.unwrap();
    ops::cancel(&db, id, None).await.unwrap();
    ops::confirm(&db, id).await.unwrap_err();
    ops::expire(&db, &BTreeSet::from([id])).await.unwrap();
    ops::sweep(&db).await.unwrap();
    ops::extend(&db, id, None, Hold::DEFAULT, CEILING).await.unwrap_err();
    ops::record_payment(&db, &pay::success("evt_0", "pi_0", id, 4), &common::NO_LIMITS).await.unwrap();
    ops::list_payments(&db, PaymentState::Failed, PageLimit::DEFAULT, None).await.unwrap();
    ops::settle_payment(&db, Provider::Stripe, &"pi_0".try_into().unwrap()).await.unwrap();
    ops::list_unreadable(&db, PageLimit::DEFAULT, None).await.unwrap();
    ops::replay_payment(&db, &pay::success("evt_0", "pi_0", id, 4), &common::NO_LIMITS).await.unwrap();
    let (ada, retention) = (Subject::try_from("ada").unwrap(), Retention::DEFAULT);
    ops::export_subject(&db, &ada, PageLimit::DEFAULT, None).await.unwrap();
    ops::erase_subject(&db, &ada).await.unwrap();
    ops::empty_payloads(&db, retention).await.unwrap();
    let old = "UPDATE shows SET start_time = now() - interval '2 years' WHERE id = $1";
    database.client().await.execute(old, &[&show.get()]).await.unwrap();
    let old = ops::due_show(&db, retention, None).await.unwrap().unwrap();
    ops::anonymise_bookings(&db, old, None).await.unwrap();
    ops::mark_anonymised(&db, old).await.unwrap();
    db
}

#[tokio::test]
async fn every_operation_is_one_round_trip() {
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

    let (booked, book) = cost(&turns, ops::book(&db, &request(show, 2))).await;
    let sold = booked.unwrap().booking.id();
    let (booked, book_with_key) = cost(&turns, ops::book(&db, &keyed(show, 2, "k"))).await;
    let cancelled = booked.unwrap().booking.id();
    let expired = ops::book(&db, &request(show, 2)).await.unwrap().booking.id();
    let swept = ops::book(&db, &request(show, 2)).await.unwrap().booking.id();
    age(&client, expired, 120.0).await;

    let mut costs = vec![("book", book), ("book with a key", book_with_key)];
    costs.push(("confirm", cost(&turns, async { ops::confirm(&db, sold).await.unwrap() }).await.1));
    costs.push(("confirm again", cost(&turns, async { ops::confirm(&db, sold).await.unwrap() }).await.1));
    costs.push(("cancel", cost(&turns, async { ops::cancel(&db, cancelled, None).await.unwrap() }).await.1));
    let batch = BTreeSet::from([sold, cancelled, expired, swept]);
    costs.push(("expire", cost(&turns, async { ops::expire(&db, &batch).await.unwrap() }).await.1));
    age(&client, swept, 120.0).await;
    costs.push(("sweep", cost(&turns, async { assert_eq!(ops::sweep(&db).await.unwrap(), 1) }).await.1));
    costs.push((
        "get booking",
        cost(&turns, async { ops::get_booking(&db, sold, Viewer::Bearer(None)).await.unwrap() }).await.1,
    ));
    costs.push(("get show", cost(&turns, async { ops::get_show(&db, show).await.unwrap() }).await.1));
    costs.push(("list shows", cost(&turns, ops::list_shows(&db, "50".parse().unwrap(), None)).await.1));
    let priced = pay::priced_show(&db, 10, 2).await.id();
    let paid = ops::book(&db, &request(priced, 2)).await.unwrap().booking.id();
    costs.push(("extend", cost(&turns, ops::extend(&db, paid, None, Hold::DEFAULT, CEILING)).await.1));
    // In time; and late, with the seats taken again.
    let event = pay::success("evt_1", "pi_1", paid, 2);
    costs.push((
        "record a payment",
        cost(&turns, async { ops::record_payment(&db, &event, &common::NO_LIMITS).await.unwrap() }).await.1,
    ));
    let late = ops::book(&db, &request(priced, 2)).await.unwrap().booking.id();
    age(&client, late, 120.0).await;
    ops::sweep(&db).await.unwrap();
    let event = pay::success("evt_2", "pi_2", late, 2);
    costs.push((
        "record a late one",
        cost(&turns, async { ops::record_payment(&db, &event, &common::NO_LIMITS).await.unwrap() }).await.1,
    ));
    let page = ops::list_payments(&db, PaymentState::Confirmed, PageLimit::DEFAULT, None);
    costs.push(("list payments", cost(&turns, async { assert_eq!(page.await.unwrap().payments.len(), 2) }).await.1));
    let due = "pi_0".try_into().unwrap();
    costs.push(("settle a payment", cost(&turns, ops::settle_payment(&db, Provider::Stripe, &due)).await.1));
    let page = ops::list_unreadable(&db, PageLimit::DEFAULT, None);
    costs.push(("list events", cost(&turns, async { assert!(page.await.unwrap().events.is_empty()) }).await.1));
    costs.push((
        "replay a payment",
        cost(&turns, async { ops::replay_payment(&db, &event, &common::NO_LIMITS).await.unwrap() }).await.1,
    ));
    let ada = Subject::try_from("ada").unwrap();
    let mine = BookRequest { holder: Holder::of_subject(&ada), ..request(show, 1) };
    ops::book(&db, &mine).await.unwrap();
    let erase = cost(&turns, async { assert_eq!(ops::erase_subject(&db, &ada).await.unwrap(), 1) }).await.1;
    costs.push(("erase a subject", erase));
    let old = "UPDATE shows SET start_time = now() - interval '2 years'";
    client.batch_execute(old).await.unwrap();
    let (due, find) = cost(&turns, ops::due_show(&db, Retention::DEFAULT, None)).await;
    costs.push(("find a due show", find));
    let due = due.unwrap().unwrap();
    costs.push(("anonymise bookings", cost(&turns, ops::anonymise_bookings(&db, due, None)).await.1));
    costs.push(("mark a show", cost(&turns, ops::mark_anonymised(&db, due)).await.1));
    client.batch_execute("UPDATE payment_events SET received_at = now() - interval '2 years'").await.unwrap();
    costs.push(("empty payloads", cost(&turns, ops::empty_payloads(&db, Retention::DEFAULT)).await.1));
    for (name, round_trips) in costs {
        println!("{name}: {round_trips} round trip");
        assert_eq!(round_trips, 1, "{name}");
    }
}

/// What is rarer costs more, and is bounded: a refusal is a second look, and scattered seats are a look, the reason why
/// it was not enough, and a transaction that is pipelined into one.
#[tokio::test]
async fn refusals_and_scattered_seats_cost_little_more() {
    for way in WAYS {
        let database = Database::create().await;
        let turns = Turns::start(database.port()).await;
        let db = warm_db(&database, &turns, way).await;
        let scattered = show(&db, 4, 4).await.id();
        let (answer, across) = cost(&turns, ops::book(&db, &request(scattered, 3))).await;
        answer.unwrap();
        let (answer, sold_out) = cost(&turns, ops::book(&db, &request(scattered, 3))).await;
        assert!(matches!(answer, Err(Error::SoldOut { available: 1 })));
        println!("book seats of several pools: {across} round trips; sold out: {sold_out}");
        assert!(across <= 3, "{across}");
        assert!(sold_out <= 2, "{sold_out}");
    }
}

/// What is told of a subject is asked for in three steps: bookings, payments, events.
#[tokio::test]
async fn an_export_is_three_round_trips_a_page() {
    for way in WAYS {
        let database = Database::create().await;
        let turns = Turns::start(database.port()).await;
        let db = warm_db(&database, &turns, way).await;
        let show = show(&db, 10, 1).await.id();
        let ada = Subject::try_from("ada").unwrap();
        for _ in 0..2 {
            ops::book(&db, &BookRequest { holder: Holder::of_subject(&ada), ..request(show, 1) }).await.unwrap();
        }
        let (page, export) = cost(&turns, ops::export_subject(&db, &ada, PageLimit::DEFAULT, None)).await;
        assert_eq!((page.unwrap().bookings.len(), export), (2, 3));
    }
}

/// The same, as the server sees it: one statement a booking, and no BEGIN and COMMIT around it.
#[tokio::test]
async fn the_server_is_sent_one_statement_a_booking() {
    let server = Server::start(&Options::fast().setting("log_statement", "all"));
    let database = server.create_database().await;
    let turns = Turns::start(database.port()).await;
    let ways = [warm_db(&database, &turns, db_at).await, warm_db(&database, &turns, unnamed_db_at).await];
    // Each pool has the seats of all 200 bookings: where one runs dry a second statement finds another, which is not meant here.
    let show = show(&ways[0], 2_000, 4).await.id();
    let statements = || {
        let log = server.log();
        let of_ours = log.lines().filter(|line| line.contains(&format!("boxoffice_app@{} ", database.name())));
        of_ours.filter(|line| line.contains("LOG:  execute ") || line.contains("LOG:  statement: ")).count()
    };
    for db in ways {
        let before = statements();
        for _ in 0..100 {
            ops::book(&db, &request(show, 2)).await.unwrap();
        }
        let sent = statements() - before;
        println!("statements a booking: {}", f64::from(u32::try_from(sent).unwrap()) / 100.0);
        assert_eq!(sent, 100);
    }
}
