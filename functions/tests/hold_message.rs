//! The real book binary and its two sides: the database decides, and the queue is a hint that may fail.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use std::{net::SocketAddr, time::Duration};

use boxoffice_shared::ops;
use boxoffice_testkit::{
    events::from_somebody,
    invariants::assert_invariants,
    postgres::Database,
    proxy::Proxy,
    sqs::{BlackHole, FixedDelayQueue, Refusing, Sent},
};
use common::{Answer, book, booking, bookings, call, ready, show, until};
use serde_json::json;

#[tokio::test]
async fn a_booking_sends_its_message_for_a_second_after_the_hold() {
    let database = Database::create().await;
    show(&database).await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    for (hold, delay) in [("", 121), ("1", 2), ("900", 900)] {
        let instance =
            ready(book(&database.url(), &queue.endpoint(), &queue.queue_url()).env("HOLD_SECONDS", hold)).await;
        let answer = call(&instance, &booking(2, &[])).await;
        assert_eq!(answer.status, 201);
        let id = answer.body["booking_id"].as_str().unwrap();
        assert_eq!(answer.header("location").unwrap(), format!("/bookings/{id}"));
        let message = Sent { body: json!({ "booking_id": id }).to_string(), delay_seconds: Some(delay) };
        assert_eq!(queue.sent().last(), Some(&message));
    }
    assert_eq!(queue.count(), 3);
}

/// Whatever is wrong with the queue: the buyer has the booking, and the sweep ends the hold.
#[tokio::test]
async fn a_message_that_cannot_be_sent_costs_no_booking() {
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
        // Within the function's timeout, whatever the queue does.
        let answer = call(&instance, &booking(2, &[])).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        assert!(instance.logged("\"HoldMessageFailed\":1").await, "{}", instance.stdout());
        assert_eq!(ops::sweep(&db).await.unwrap(), 0);
        let past = "UPDATE bookings SET created_at = created_at - interval '2 min', expires_at = expires_at - interval '2 min'";
        client.execute(past, &[]).await.unwrap();
        assert_eq!(ops::sweep(&db).await.unwrap(), 1);
        let seats: i64 = client.query_one("SELECT sum(free) FROM seat_pools", &[]).await.unwrap().get(0);
        assert_eq!(seats, 100);
        assert_invariants(&client).await;
    }
}

/// The message goes out while the database has not answered: the order of events shows it, not a time.
#[tokio::test]
async fn the_message_does_not_wait_for_the_statement() {
    let database = Database::create().await;
    show(&database).await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let proxy = Proxy::to_port(database.port()).await;
    let url = database.url_at(proxy.port(), "disable");
    let instance = ready(book(&url, &queue.endpoint(), &queue.queue_url())).await;
    proxy.freeze();
    let event = booking(2, &[]);
    let (answer, ()) = tokio::join!(call(&instance, &event), async {
        until("the queue has the message", async || queue.count() == 1).await;
        assert_eq!(bookings(&database.client().await).await, 0, "and the database was not even asked");
        proxy.resume();
    });
    assert_eq!(answer.status, 201);
    assert_eq!(queue.count(), 1);
}

/// The statement is done while the queue has not answered.
#[tokio::test]
async fn the_statement_does_not_wait_for_the_message() {
    let database = Database::create().await;
    show(&database).await;
    let client = database.client().await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let address: SocketAddr = queue.endpoint().trim_start_matches("http://").parse().unwrap();
    let proxy = Proxy::start(address, Duration::ZERO).await;
    let endpoint = format!("http://{}", proxy.address());
    let queue_url = format!("{endpoint}/000000000000/holds");
    let instance = ready(book(&database.url(), &endpoint, &queue_url)).await;
    proxy.freeze();
    let event = booking(2, &[]);
    let (answer, ()) = tokio::join!(call(&instance, &event), async {
        until("the booking is there", async || bookings(&client).await == 1).await;
        assert_eq!(queue.count(), 0, "and the queue knows nothing yet");
        proxy.resume();
    });
    assert_eq!(answer.status, 201);
    // Well within the attempts of sending: it was not given up, only late.
    assert_eq!(queue.count(), 1);
}

/// The message of a booking that was refused is dropped when it arrives; here it is sent all the same.
#[tokio::test]
async fn a_refusal_is_a_refusal_whatever_the_queue_does() {
    let database = Database::create().await;
    show(&database).await;
    let refusing = Refusing::start();
    let instance = ready(book(&database.url(), &refusing.endpoint(), &refusing.queue_url())).await;
    for _ in 0..10 {
        assert_eq!(call(&instance, &from_somebody(booking(10, &[]))).await.status, 201);
    }
    let answer: Answer = call(&instance, &from_somebody(booking(1, &[]))).await;
    assert_eq!((answer.status, answer.problem()), (409, "sold-out"));
    assert_eq!(answer.body["available_seats"], 0);
}
