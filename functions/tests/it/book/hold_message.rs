//! Hold messages of the real book binary. The database decides about a booking; the message is a hint and may fail.

use crate::common::{book, booking, bookings, call, ready, show, until};
use std::time::Duration;

use boxoffice_shared::bookings;
use boxoffice_testkit::{
    events::from_somebody,
    invariants::assert_invariants,
    postgres::Database,
    sqs::{BlackHole, FixedDelayQueue, Refusing, Sent},
};
use serde_json::json;

#[tokio::test]
async fn hold_message_is_delayed_until_one_second_after_the_hold() {
    let database = Database::create().await;
    show(&database).await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    for (hold, delay) in [("", 121), ("1", 2), ("900", 900)] {
        let instance =
            ready(book(&database.url(), &queue.endpoint(), &queue.queue_url()).env("HOLD_SECONDS", hold)).await;
        let answer = call(&instance, &booking(2, &[])).await;
        assert_eq!(answer.status, 201);
        let id = answer.body["booking_id"].as_str().unwrap();
        assert_eq!(answer.header("location").unwrap(), format!("../../bookings/{id}"));
        let message = Sent { body: json!({ "booking_id": id }).to_string(), delay_seconds: Some(delay) };
        until("the message arrives", async || queue.sent().last() == Some(&message)).await;
    }
    assert_eq!(queue.count(), 3);
}

/// If the queue fails in any way, the booking still succeeds and the sweep expires the hold.
#[tokio::test]
async fn failed_hold_message_does_not_fail_the_booking() {
    let (refusing, black_hole) = (Refusing::start(), BlackHole::start().await);
    let failing = FixedDelayQueue::start(Duration::ZERO).await;
    failing.set_failing(true);
    for (endpoint, queue_url) in [
        (refusing.endpoint(), refusing.queue_url()),
        (black_hole.endpoint(), black_hole.queue_url()),
        (failing.endpoint(), failing.queue_url()),
    ] {
        let database = Database::create().await;
        let db = show(&database).await;
        let client = database.client().await;
        let instance = ready(book(&database.url(), &endpoint, &queue_url)).await;
        // `call` fails after the function's timeout.
        let answer = call(&instance, &booking(2, &[])).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        assert!(instance.logged("\"HoldMessageFailed\":1").await, "{}", instance.stdout());
        assert_eq!(bookings::sweep(&db).await.unwrap(), 0);
        let past = "UPDATE bookings SET created_at = created_at - interval '2 min', expires_at = expires_at - interval '2 min'";
        client.execute(past, &[]).await.unwrap();
        assert_eq!(bookings::sweep(&db).await.unwrap(), 1);
        let seats: i64 = client.query_one("SELECT sum(free) FROM seat_pools", &[]).await.unwrap().get(0);
        assert_eq!(seats, 100);
        assert_invariants(&client).await;
    }
}

/// The queue holds back its answer until the response has arrived. A function that waited for the queue first would
/// time out and count the message as failed.
#[tokio::test]
async fn response_does_not_wait_for_the_hold_message() {
    let database = Database::create().await;
    show(&database).await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let instance = ready(book(&database.url(), &queue.endpoint(), &queue.queue_url())).await;
    queue.set_held(true);
    let answer = call(&instance, &booking(2, &[])).await;
    assert_eq!(answer.status, 201);
    queue.set_held(false);
    assert_eq!(call(&instance, &from_somebody(booking(2, &[]))).await.status, 201);
    until("both messages arrive", async || queue.count() == 2).await;
    assert!(!instance.stdout().contains("HoldMessageFailed"), "{}", instance.stdout());
}

/// Lambda may freeze an instance once it asks for the next request, so the instance sends its message before it asks.
#[tokio::test]
async fn hold_message_is_sent_before_the_next_request() {
    let database = Database::create().await;
    show(&database).await;
    let client = database.client().await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let instance = ready(book(&database.url(), &queue.endpoint(), &queue.queue_url())).await;
    queue.set_held(true);
    assert_eq!(call(&instance, &booking(2, &[])).await.status, 201);
    let next = from_somebody(booking(2, &[]));
    let (answer, ()) = tokio::join!(call(&instance, &next), async {
        until("the first message reaches the queue", async || queue.count() == 1).await;
        assert_eq!(bookings(&client).await, 1, "the second request is not taken yet");
        queue.set_held(false);
    });
    assert_eq!(answer.status, 201);
}

/// Refused requests send nothing, and neither do replays: the first request has sent the message.
#[tokio::test]
async fn only_a_new_booking_sends_a_message() {
    let database = Database::create().await;
    show(&database).await;
    let client = database.client().await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let instance = ready(book(&database.url(), &queue.endpoint(), &queue.queue_url())).await;
    let key = [("Idempotency-Key", "k-1")];
    assert_eq!(call(&instance, &booking(2, &key)).await.status, 201);
    assert_eq!(call(&instance, &booking(2, &key)).await.header("idempotency-replayed"), Some("true"));
    assert_eq!(call(&instance, &booking(3, &key)).await.problem(), "idempotency-key-reused");
    assert_eq!(call(&instance, &booking(9, &[])).await.problem(), "pending-limit");
    assert_eq!(call(&instance, &booking(11, &[])).await.problem(), "validation-failed");
    client.execute("UPDATE seat_pools SET free = 0", &[]).await.unwrap();
    assert_eq!(call(&instance, &from_somebody(booking(1, &[]))).await.problem(), "sold-out");
    client.execute("UPDATE shows SET start_time = now()", &[]).await.unwrap();
    assert_eq!(call(&instance, &from_somebody(booking(1, &[]))).await.problem(), "show-started");
    assert_eq!(queue.count(), 1);
}
