//! Client retries and outages, against the real book binary.

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

/// The process is killed after its booking is committed and before it answers. A retry with the same key returns the
/// booking.
#[tokio::test]
async fn process_killed_between_commit_and_response_leaves_one_booking() {
    let database = Database::create().await;
    show(&database).await;
    let client = database.client().await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let proxy = Proxy::to_port(database.port()).await;
    let proxied = database.url_at(proxy.port(), "disable");
    let doomed = ready(book(&proxied, &queue.endpoint(), &queue.queue_url())).await;
    let event = booking(3, &[("Idempotency-Key", "order-1")]);
    // The database runs the statement, but its reply is held back.
    proxy.freeze_replies();
    let (lost, ()) = tokio::join!(doomed.invoke(&event), async {
        until("the booking is committed", async || bookings(&client).await == 1).await;
        doomed.kill().await;
    });
    assert!(matches!(lost, Err(InvokeError::Exited { .. })), "{lost:?}");
    proxy.resume();

    let next = ready(book(&proxied, &queue.endpoint(), &queue.queue_url())).await;
    let committed: String = client.query_one("SELECT show_id || '-' || id FROM bookings", &[]).await.unwrap().get(0);
    // Every retry with the key returns the booking.
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
async fn concurrent_requests_with_one_key_make_one_booking() {
    let database = Database::create().await;
    show(&database).await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let builder = || book(&database.url(), &queue.endpoint(), &queue.queue_url());
    let (one, two) = (ready(builder()).await, ready(builder()).await);
    let mut replays = 0;
    for round in 0..20 {
        let event = booking(1, &[("Idempotency-Key", &format!("order-{round}"))]);
        // A phone that changes its address between the two requests: they share only the key.
        let (here, there) = (from_somebody(event.clone()), from_somebody(event));
        let (first, second) = tokio::join!(call(&one, &here), call(&two, &there));
        assert_eq!((first.status, second.status), (201, 201));
        assert_eq!(first.body, second.body);
        replays += [&first, &second].iter().filter(|a| a.header("idempotency-replayed") == Some("true")).count();
    }
    assert_eq!(replays, 20, "one request creates the booking, the other one replays it");
    let client = database.client().await;
    assert_eq!(bookings(&client).await, 20);
    assert_invariants(&client).await;
}

/// Asserts that each of these sets of headers is a 400 that names the header, and that nothing is booked.
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
    assert_eq!(queue.count(), 0, "an invalid request sends no message");
    let fits = "k".repeat(255);
    assert_eq!(call(&instance, &booking(1, &[("Idempotency-Key", &fits)])).await.status, 201);
}

#[tokio::test]
async fn malformed_idempotency_key_is_400() {
    let long = "k".repeat(256);
    refused(&["", "two words", "tab\t", "k\u{f6}", &long].map(|key| vec![("Idempotency-Key", key)])).await;
}

/// API Gateway sends all values in `multiValueHeaders` and the last one in `headers`.
#[tokio::test]
async fn last_of_repeated_idempotency_keys_is_used() {
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

/// 503 with `Retry-After` while the database is down, 201 once it is back, for the same request to the same instance.
#[tokio::test]
async fn database_outage_is_503_and_the_instance_reconnects() {
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

/// Waits end before the function's timeout, however short the timeout is.
#[tokio::test]
async fn silent_database_is_503_before_the_function_times_out() {
    let database = Database::create().await;
    show(&database).await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let proxy = Proxy::to_port(database.port()).await;
    let url = database.url_at(proxy.port(), "disable");
    for seconds in [2, 4, 8] {
        let builder = book(&url, &queue.endpoint(), &queue.queue_url()).timeout(Duration::from_secs(seconds));
        let instance = ready(builder).await;
        proxy.freeze();
        // Each by another holder: a booking that was not answered may have been made, and counts for its holder.
        let answer = call(&instance, &from_somebody(booking(2, &[]))).await;
        assert_eq!((answer.status, answer.problem()), (503, "unavailable"), "{seconds} s");
        proxy.cut();
        proxy.resume();
        assert_eq!(call(&instance, &from_somebody(booking(2, &[]))).await.status, 201);
    }
}

/// Server errors such as a missing library or a full disk are 503, and the next request gets a working connection.
#[tokio::test]
async fn server_error_is_503_and_the_next_request_succeeds() {
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
async fn lock_timeout_is_503_busy() {
    let database = Database::create().await;
    show(&database).await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let instance = ready(book(&database.url(), &queue.endpoint(), &queue.queue_url())).await;
    let holder = database.admin_client().await;
    holder.batch_execute("BEGIN; SELECT FROM seat_pools FOR UPDATE").await.unwrap();
    let answer = call(&instance, &booking(2, &[])).await;
    assert_eq!((answer.status, answer.problem(), answer.header("retry-after")), (503, "busy", Some("1")));
    assert!(!answer.body.to_string().contains("lock"), "the answer must not show internals: {}", answer.body);
    holder.batch_execute("COMMIT").await.unwrap();
    assert_eq!(call(&instance, &booking(2, &[])).await.status, 201);
}

/// An instance that receives several requests at once handles them concurrently and correctly.
#[tokio::test]
async fn concurrent_requests_in_one_instance_sell_each_seat_once() {
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
