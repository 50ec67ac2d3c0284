//! The real book binary, and a client that tries again.

use crate::common::{book, booking, bookings, call, ready, show, until};
use std::time::Duration;

use boxoffice_testkit::{
    events::from_somebody,
    invariants::assert_invariants,
    lambda::InvokeError,
    postgres::{Database, Options, Server, Stop},
    proxy::Proxy,
    sqs::FixedDelayQueue,
};
use serde_json::Value;

/// The process is killed when its booking is committed and not answered: the client has the booking by its key.
#[tokio::test]
async fn a_process_killed_between_commit_and_answer_leaves_one_booking() {
    let database = Database::create().await;
    show(&database).await;
    let client = database.client().await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let proxy = Proxy::to_port(database.port()).await;
    let proxied = database.url_at(proxy.port(), "disable");
    let doomed = ready(book(&proxied, &queue.endpoint(), &queue.queue_url())).await;
    let event = booking(3, &[("Idempotency-Key", "order-1")]);
    // What the database does is done; its answer is held back.
    proxy.freeze_replies();
    let (lost, ()) = tokio::join!(doomed.invoke(&event), async {
        until("the booking is committed", async || bookings(&client).await == 1).await;
        doomed.kill().await;
    });
    assert!(matches!(lost, Err(InvokeError::Exited { .. })), "{lost:?}");
    proxy.resume();

    let next = ready(book(&proxied, &queue.endpoint(), &queue.queue_url())).await;
    let committed: String = client.query_one("SELECT show_id || '-' || id FROM bookings", &[]).await.unwrap().get(0);
    // And again: whoever has the key has the booking.
    for _ in 0..2 {
        let answer = call(&next, &event).await;
        assert_eq!((answer.status, answer.header("idempotency-replayed")), (201, Some("true")));
        assert_eq!(answer.body["booking_id"], committed);
        assert_eq!(answer.header("location").unwrap(), format!("../../bookings/{committed}"));
    }
    assert_eq!(bookings(&client).await, 1);
    let other = call(&next, &booking(4, &[("Idempotency-Key", "order-1")])).await;
    assert_eq!((other.status, other.problem()), (422, "idempotency-key-reused"));
    assert_invariants(&client).await;
}

#[tokio::test]
async fn two_at_once_with_one_key_are_one_booking() {
    let database = Database::create().await;
    show(&database).await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let builder = || book(&database.url(), &queue.endpoint(), &queue.queue_url());
    let (one, two) = (ready(builder()).await, ready(builder()).await);
    let mut replays = 0;
    for round in 0..20 {
        let event = booking(1, &[("Idempotency-Key", &format!("order-{round}"))]);
        // A phone that changes its address between the two: they have the key in common, and nothing else.
        let (here, there) = (from_somebody(event.clone()), from_somebody(event));
        let (first, second) = tokio::join!(call(&one, &here), call(&two, &there));
        assert_eq!((first.status, second.status), (201, 201));
        assert_eq!(first.body, second.body);
        replays += [&first, &second].iter().filter(|a| a.header("idempotency-replayed") == Some("true")).count();
    }
    assert_eq!(replays, 20, "one made it, the other one found it");
    let client = database.client().await;
    assert_eq!(bookings(&client).await, 20);
    assert_invariants(&client).await;
}

/// Headers that are wrong: 400 that names the header, and nothing is done.
async fn refused(many: &[Vec<(&str, &str)>]) {
    let database = Database::create().await;
    show(&database).await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let instance = ready(book(&database.url(), &queue.endpoint(), &queue.queue_url())).await;
    for headers in many {
        let answer = call(&instance, &booking(1, headers)).await;
        assert_eq!(answer.status, 400, "{headers:?}: {}", answer.body);
        assert_eq!(answer.problem(), "malformed-request");
        let errors = answer.body["errors"].as_array().unwrap();
        assert_eq!((errors.len(), &errors[0]["pointer"]), (1, &Value::from("Idempotency-Key")), "{}", answer.body);
    }
    assert_eq!(bookings(&database.client().await).await, 0);
    assert_eq!(queue.count(), 0, "nothing is promised for a request that cannot be read");
    let fits = "k".repeat(255);
    assert_eq!(call(&instance, &booking(1, &[("Idempotency-Key", &fits)])).await.status, 201);
}

#[tokio::test]
async fn a_key_that_is_malformed_is_400() {
    let long = "k".repeat(256);
    refused(&["", "two words", "tab\t", "k\u{f6}", &long].map(|key| vec![("Idempotency-Key", key)])).await;
}

/// As API Gateway sends it: all values in `multiValueHeaders`, and the last one in `headers`.
#[tokio::test]
async fn of_a_doubled_key_the_last_counts() {
    let database = Database::create().await;
    show(&database).await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let instance = ready(book(&database.url(), &queue.endpoint(), &queue.queue_url())).await;
    let doubled = booking(1, &[("Idempotency-Key", "one"), ("Idempotency-Key", "two")]);
    let first = call(&instance, &doubled).await;
    let again = call(&instance, &booking(1, &[("Idempotency-Key", "two")])).await;
    assert_eq!((first.status, again.status, again.header("idempotency-replayed")), (201, 201, Some("true")));
    assert_eq!(first.body, again.body);
    let other = call(&instance, &booking(1, &[("Idempotency-Key", "one")])).await;
    assert_eq!((other.status, other.header("idempotency-replayed")), (201, None));
}

/// 503 with a time to wait while the database is away, 201 when it is back: the same instance, the same request.
#[tokio::test]
async fn a_database_that_is_down_is_503_and_is_found_again() {
    let server = Server::start(&Options::fast());
    let database = server.create_database().await;
    show(&database).await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let instance = ready(book(&database.url(), &queue.endpoint(), &queue.queue_url())).await;
    let event = booking(2, &[("Idempotency-Key", "order-1")]);
    for how in [Stop::Fast, Stop::Immediate] {
        server.stop(how).await;
        let answer = call(&instance, &event).await;
        assert_eq!((answer.status, answer.problem(), answer.header("retry-after")), (503, "unavailable", Some("2")));
        server.start_again().await;
        assert_eq!(call(&instance, &event).await.status, 201);
    }
    let client = database.client().await;
    assert_eq!(bookings(&client).await, 1);
    assert_invariants(&client).await;
}

/// Whatever the time of the function is: what it waits for ends before.
#[tokio::test]
async fn a_silent_database_is_503_before_the_functions_time_is_up() {
    let database = Database::create().await;
    show(&database).await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let proxy = Proxy::to_port(database.port()).await;
    let url = database.url_at(proxy.port(), "disable");
    for seconds in [2, 4, 8] {
        let builder = book(&url, &queue.endpoint(), &queue.queue_url()).timeout(Duration::from_secs(seconds));
        let instance = ready(builder).await;
        proxy.freeze();
        let answer = call(&instance, &booking(2, &[])).await;
        assert_eq!((answer.status, answer.problem()), (503, "unavailable"), "{seconds} s");
        proxy.cut();
        proxy.resume();
        assert_eq!(call(&instance, &booking(2, &[])).await.status, 201);
    }
}

/// A server that lost a library, a disk that is full: 503, and the next request has a connection that can.
#[tokio::test]
async fn a_server_that_cannot_is_503_and_found_again() {
    let database = Database::create().await;
    show(&database).await;
    let owner = database.admin_client().await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let instance = ready(book(&database.url(), &queue.endpoint(), &queue.queue_url())).await;
    for state in ["58P01", "XX000", "53100", "57P01", "25006"] {
        let gone = format!(
            "CREATE OR REPLACE FUNCTION gone() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$;
             CREATE TRIGGER gone BEFORE INSERT ON bookings FOR EACH ROW EXECUTE FUNCTION gone()"
        );
        owner.batch_execute(&gone).await.unwrap();
        let answer = call(&instance, &booking(1, &[])).await;
        assert_eq!((answer.status, answer.problem(), answer.header("retry-after")), (503, "unavailable", Some("2")));
        owner.batch_execute("DROP TRIGGER gone ON bookings").await.unwrap();
        assert_eq!(call(&instance, &booking(1, &[])).await.status, 201, "{state}");
    }
    assert_invariants(&owner).await;
}

#[tokio::test]
async fn a_lock_that_is_not_had_is_503_and_says_so() {
    let database = Database::create().await;
    show(&database).await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let instance = ready(book(&database.url(), &queue.endpoint(), &queue.queue_url())).await;
    let holder = database.admin_client().await;
    holder.batch_execute("BEGIN; SELECT FROM seat_pools FOR UPDATE").await.unwrap();
    let answer = call(&instance, &booking(2, &[])).await;
    assert_eq!((answer.status, answer.problem(), answer.header("retry-after")), (503, "busy", Some("1")));
    assert!(!answer.body.to_string().contains("lock"), "no internals: {}", answer.body);
    holder.batch_execute("COMMIT").await.unwrap();
    assert_eq!(call(&instance, &booking(2, &[])).await.status, 201);
}

/// An instance that is given several requests at once answers them side by side, each rightly.
#[tokio::test]
async fn requests_at_once_in_one_instance_sell_what_there_is() {
    let database = Database::create().await;
    show(&database).await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let builder = book(&database.url(), &queue.endpoint(), &queue.queue_url()).env("AWS_LAMBDA_MAX_CONCURRENCY", "8");
    let instance = ready(builder).await;
    let calls = async || {
        let events = [(); 4].map(|()| from_somebody(booking(10, &[])));
        let (a, b, c, d) = tokio::join!(
            call(&instance, &events[0]),
            call(&instance, &events[1]),
            call(&instance, &events[2]),
            call(&instance, &events[3])
        );
        [a, b, c, d].map(|answer| answer.status)
    };
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.extend(calls().await);
    }
    let of = |status| statuses.iter().filter(|s| **s == status).count();
    assert_eq!((of(201), of(409)), (10, 6), "{statuses:?}");
    assert_invariants(&database.client().await).await;
}
