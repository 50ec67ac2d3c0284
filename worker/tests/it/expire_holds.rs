//! The real expire-holds binary: every message is safe, whether repeated, early, late or unreadable.

use crate::common::{Stage, body, builder, failures, until};
use std::time::Duration;

use boxoffice_testkit::{
    events::{delivered_again, sqs_event},
    failing_server::{FailingServer, Moment},
    invariants::assert_invariants,
    lambda::{Instance, InvokeError},
    postgres::{Options, Server, Stop},
    proxy::Proxy,
    sqs::{BlackHole, FixedDelayQueue, Refusing, Sqs},
};

const EXPIRE_HOLDS: &str = env!("CARGO_BIN_EXE_expire-holds");

/// The message after it was sent back `hops` times.
fn sent_back(body: &str, hops: u16) -> String {
    let mut message: serde_json::Value = serde_json::from_str(body).unwrap();
    message["hops"] = hops.into();
    message.to_string()
}

async fn expire_holds(stage: &Stage, queue: &FixedDelayQueue) -> Instance {
    stage.worker(EXPIRE_HOLDS, &queue.endpoint(), &queue.queue_url()).await
}

#[tokio::test]
async fn a_repeated_message_releases_the_seats_once() {
    let stage = Stage::new().await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let worker = expire_holds(&stage, &queue).await;
    let booking = stage.due().await;
    assert_eq!(stage.free().await, 98);
    let text = body(&booking);
    // Twice in one batch, and the batch twice.
    for _ in 0..2 {
        let report = worker.invoke(&sqs_event(&[("one", &text), ("two", &text)])).await.unwrap();
        assert_eq!(failures(&report), [""; 0]);
        assert_eq!(stage.status(&booking).await, "FAILED expired");
        assert_eq!(stage.free().await, 100);
    }
    assert_eq!(queue.count(), 0, "no message is sent back");
    assert_invariants(&stage.client).await;
}

/// With a real queue: an early message is sent back with the delay that is left, and is delivered when the hold is
/// over.
#[tokio::test]
async fn an_early_message_is_redelivered_when_the_hold_is_over() {
    let stage = Stage::new().await;
    let sqs = Sqs::shared();
    let url = sqs.create_queue("early").await;
    let worker = stage.worker(EXPIRE_HOLDS, &sqs.endpoint(), &url).await;
    // Long enough for the first message to be early on any machine.
    let booking = stage.pending(5.0).await;
    let report = worker.invoke(&sqs_event(&[("early", &body(&booking))])).await.unwrap();
    assert_eq!(failures(&report), [""; 0]);
    assert_eq!(stage.status(&booking).await, "PENDING");
    assert_eq!(sqs.counts(&url).await.delayed, 1, "the message is in the queue, still delayed");

    let mut messages = Vec::new();
    until("the message is delivered", async || {
        messages.extend(sqs.receive_all(&url).await);
        !messages.is_empty()
    })
    .await;
    assert_eq!(messages.len(), 1);
    let report = worker.invoke(&sqs_event(&[("again", &messages[0].body)])).await.unwrap();
    assert_eq!(failures(&report), [""; 0]);
    // Delays are rounded up, so the hold is over by the database's clock.
    assert_eq!(stage.status(&booking).await, "FAILED expired");
    assert_invariants(&stage.client).await;
}

#[tokio::test]
async fn a_message_sent_back_is_delayed_by_the_time_left() {
    let stage = Stage::new().await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let worker = expire_holds(&stage, &queue).await;
    let (soon, late) = (stage.pending(60.0).await, stage.pending(5_000.0).await);
    let (soon, late) = (body(&soon), body(&late));
    let report = worker.invoke(&sqs_event(&[("soon", &soon), ("late", &late), ("soon again", &soon)])).await.unwrap();
    assert_eq!(failures(&report), [""; 0]);
    let sent = queue.sent();
    // One message for each booking, however many were received.
    assert_eq!(sent.len(), 2);
    for message in sent {
        let delay = message.delay_seconds.unwrap();
        if message.body == sent_back(&soon, 1) {
            // Less the time that this test takes: some seconds on the slowest machine.
            assert!((30..=60).contains(&delay), "{delay}");
        } else {
            assert_eq!(message.body, sent_back(&late, 1));
            assert_eq!(delay, 900, "the longest delay that SQS allows; after it the message is sent back again");
        }
    }
}

/// Lambda's recursive loop detection is off for this function, so the worker has its own limit.
#[tokio::test]
async fn a_message_is_sent_back_at_most_1000_times() {
    let stage = Stage::new().await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let worker = expire_holds(&stage, &queue).await;
    let (often, too_often) = (body(&stage.pending(600.0).await), body(&stage.pending(600.0).await));
    let (often, too_often) = (sent_back(&often, 999), sent_back(&too_often, 1_000));
    let batch = sqs_event(&[("often", &often), ("too often", &too_often), ("the first, late", &sent_back(&often, 3))]);
    let report = worker.invoke(&batch).await.unwrap();
    assert_eq!(failures(&report), [""; 0], "the sweep expires the hold instead, so the message does not fail");
    let sent: Vec<_> = queue.sent().into_iter().map(|message| message.body).collect();
    assert_eq!(sent, [sent_back(&often, 1_000)], "of two messages of one hold, the one with more hops counts");
    assert!(worker.stdout().contains("HoldMessageFailed"), "{}", worker.stdout());
}

#[tokio::test]
async fn a_mixed_batch_fails_only_for_unreadable_messages() {
    let stage = Stage::new().await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let worker = expire_holds(&stage, &queue).await;
    let (due, pending) = (stage.due().await, stage.pending(60.0).await);
    let (confirmed, cancelled, expired) = (stage.confirmed().await, stage.cancelled().await, stage.expired().await);
    let unknown = "1-019a5b7e-8f00-7abc-8def-0123456789ab".to_owned();
    let no_show = "77-019a5b7e-8f00-7abc-8def-0123456789ab".to_owned();
    let [due_text, pending_text, confirmed_text, cancelled_text, expired_text, unknown, no_show] =
        [&due, &pending, &confirmed, &cancelled, &expired, &unknown, &no_show].map(|id| body(id));
    let free = stage.free().await;
    let batch = sqs_event(&[
        ("due", &due_text),
        ("not json", "the show must go on"),
        ("pending", &pending_text),
        ("due again", &due_text),
        ("confirmed", &confirmed_text),
        ("no id", "{}"),
        ("cancelled", &cancelled_text),
        ("expired", &expired_text),
        ("empty", ""),
        ("unknown", &unknown),
        ("no show", &no_show),
        ("not an id", r#"{"booking_id":"42"}"#),
        ("a number", r#"{"booking_id":42}"#),
        ("null", "null"),
        ("nul", "{\"booking_id\":\"1-\\u0000\"}"),
    ]);
    for round in 0..2 {
        let report = worker.invoke(&batch).await.unwrap();
        assert_eq!(failures(&report), ["a number", "empty", "no id", "not an id", "not json", "nul", "null"]);
        assert_eq!(stage.status(&due).await, "FAILED expired");
        assert_eq!(stage.status(&pending).await, "PENDING");
        assert_eq!(stage.status(&confirmed).await, "CONFIRMED");
        assert_eq!(stage.status(&cancelled).await, "FAILED cancelled");
        assert_eq!(stage.status(&expired).await, "FAILED expired");
        assert_eq!(stage.free().await, free + 2);
        assert_eq!(queue.count(), round + 1, "the message of the pending hold is sent back");
    }
    assert_eq!(queue.sent()[0].body, sent_back(&pending_text, 1));
    assert_invariants(&stage.client).await;
}

#[tokio::test]
async fn a_message_that_cannot_be_sent_back_fails_alone() {
    let stage = Stage::new().await;
    let (refusing, black_hole) = (Refusing::start(), BlackHole::start().await);
    let failing = FixedDelayQueue::start(Duration::ZERO).await;
    failing.set_failing(true);
    for (endpoint, queue_url) in [
        (refusing.endpoint(), refusing.queue_url()),
        (black_hole.endpoint(), black_hole.queue_url()),
        (failing.endpoint(), failing.queue_url()),
    ] {
        let worker = stage.worker(EXPIRE_HOLDS, &endpoint, &queue_url).await;
        let (due, pending) = (stage.due().await, stage.pending(60.0).await);
        let (due_text, pending_text) = (body(&due), body(&pending));
        let batch = sqs_event(&[("one", &pending_text), ("due", &due_text), ("two", &pending_text), ("poison", "")]);
        let report = worker.invoke(&batch).await.unwrap();
        // Both messages of the pending booking fail, so SQS redelivers them.
        assert_eq!(failures(&report), ["one", "poison", "two"]);
        assert_eq!(stage.status(&due).await, "FAILED expired");
        assert_eq!(stage.status(&pending).await, "PENDING");
    }
    assert_invariants(&stage.client).await;
}

/// Without the database, every message is reported as failed, and SQS redelivers it.
#[tokio::test]
async fn a_database_outage_fails_the_batch_and_the_instance_recovers() {
    let server = Server::start(&Options::fast());
    let stage = Stage::on(server.create_database().await).await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let worker = expire_holds(&stage, &queue).await;
    let booking = stage.due().await;
    let batch = sqs_event(&[("one", &body(&booking))]);
    server.stop(Stop::Fast).await;
    assert_eq!(failures(&worker.invoke(&batch).await.unwrap()), ["one"]);
    server.start_again().await;
    // The same instance recovers by itself.
    let report = worker.invoke(&batch).await.unwrap();
    assert_eq!(failures(&report), [""; 0]);
    let client = stage.database.client().await;
    assert_invariants(&client).await;
    let status: String = client.query_one("SELECT status FROM bookings", &[]).await.unwrap().get(0);
    assert_eq!(status, "FAILED");
}

/// An instance starts during a database outage, and reports messages as failed until the database is back.
#[tokio::test]
async fn an_instance_starts_without_a_database() {
    let refusing = Refusing::start();
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let url = format!("postgres://boxoffice:boxoffice@{}/boxoffice?sslmode=disable", refusing.address());
    let worker = builder(EXPIRE_HOLDS, &queue.endpoint(), &queue.queue_url()).env("DATABASE_URL", url).start().await;
    worker.ready().await.unwrap();
    let unknown = body("1-019a5b7e-8f00-7abc-8def-0123456789ab");
    assert_eq!(failures(&worker.invoke(&sqs_event(&[("one", &unknown)])).await.unwrap()), ["one"]);
}

fn unknown_bookings() -> Vec<(String, String)> {
    (0..10).map(|n| (n.to_string(), body(&format!("1-019a5b7e-8f00-7abc-8def-01234567890{n}")))).collect()
}

async fn failing_worker(server: &FailingServer) -> Instance {
    let worker =
        builder(EXPIRE_HOLDS, "http://127.0.0.1:1", "http://127.0.0.1:1/holds").env("DATABASE_URL", server.url());
    let worker = worker.start().await;
    worker.ready().await.unwrap();
    worker
}

/// The batch's statement is attempted four times. Its ten holds are not tried one by one.
#[tokio::test]
async fn without_the_database_holds_are_not_retried_one_by_one() {
    let server = FailingServer::start().await;
    let worker = failing_worker(&server).await;
    let messages = unknown_bookings();
    let messages: Vec<_> = messages.iter().map(|(id, body)| (id.as_str(), body.as_str())).collect();
    server.fail(Moment::Execute, "FATAL", "57P01", 1_000);
    assert_eq!(failures(&worker.invoke(&sqs_event(&messages)).await.unwrap()).len(), 10);
    assert_eq!(server.failed(), 4);
}

/// A batch that fails because of a row is retried hold by hold. The database becomes unavailable at the third hold.
#[tokio::test]
async fn a_database_outage_ends_the_batch() {
    let server = FailingServer::start().await;
    let worker = failing_worker(&server).await;
    let messages = unknown_bookings();
    let messages: Vec<_> = messages.iter().map(|(id, body)| (id.as_str(), body.as_str())).collect();
    // The batch and the first two single holds fail because of a row.
    server.fail(Moment::Execute, "ERROR", "23514", 3);
    server.then_fail(Moment::Execute, "FATAL", "57P01", 1_000);
    assert_eq!(failures(&worker.invoke(&sqs_event(&messages)).await.unwrap()).len(), 10);
    assert_eq!(server.failed(), 3 + 4);
}

/// The function's timeout is shorter than the longest waits for the database and the queue. The worker reports the
/// unfinished messages before it.
#[tokio::test]
async fn unfinished_messages_are_reported_before_the_timeout() {
    let stage = Stage::new().await;
    let proxy = Proxy::to_port(stage.database.port()).await;
    let silent = BlackHole::start().await;
    let worker = builder(EXPIRE_HOLDS, &silent.endpoint(), &silent.queue_url())
        .env("DATABASE_URL", stage.database.url_at(proxy.port(), "disable"))
        .timeout(Duration::from_secs(5))
        .start()
        .await;
    worker.ready().await.unwrap();
    let mut messages = Vec::new();
    for number in 0..10 {
        messages.push((number.to_string(), body(&stage.pending(600.0).await)));
    }
    let messages: Vec<_> = messages.iter().map(|(id, body)| (id.as_str(), body.as_str())).collect();
    // None of ten messages can be sent back; each takes 1.5 s.
    assert_eq!(failures(&worker.invoke(&sqs_event(&messages)).await.unwrap()).len(), 10);
    proxy.freeze();
    assert_eq!(failures(&worker.invoke(&sqs_event(&messages)).await.unwrap()).len(), 10);
}

/// A poison message is counted on its first delivery only, although SQS redelivers it until it is a dead letter.
#[tokio::test]
async fn a_poison_message_is_counted_once() {
    let stage = Stage::new().await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let worker = expire_holds(&stage, &queue).await;
    let batch = sqs_event(&[("poison", "not ours")]);
    for count in 1..=5 {
        assert_eq!(failures(&worker.invoke(&delivered_again(batch.clone(), count)).await.unwrap()), ["poison"]);
    }
    // A message is logged before its response, so the log is complete once this second message is logged.
    assert_eq!(failures(&worker.invoke(&sqs_event(&[("other", "null")])).await.unwrap()), ["other"]);
    assert!(worker.logged("other").await);
    assert_eq!(worker.stdout().matches("\"PoisonMessage\":1").count(), 2, "{}", worker.stdout());
}

#[tokio::test]
async fn an_invalid_environment_is_reported_completely() {
    let worker = Instance::start(
        EXPIRE_HOLDS,
        &[
            ("DATABASE_URL", "postgres://boxoffice:s3cret@/?nonsense=1"),
            ("HOLD_QUEUE_URL", "holds"),
            ("AWS_LAMBDA_MAX_CONCURRENCY", "many"),
        ],
    )
    .await;
    match worker.ready().await {
        Err(InvokeError::Exited { status, .. }) => assert_eq!(status.code(), Some(1)),
        other => panic!("{other:?}"),
    }
    let output = worker.stdout() + &worker.stderr();
    let line = output.lines().find(|line| line.contains("cannot start")).unwrap_or_else(|| panic!("{output}"));
    for name in ["DATABASE_URL", "HOLD_QUEUE_URL", "AWS_LAMBDA_MAX_CONCURRENCY"] {
        assert!(line.contains(name), "{name} is not in: {line}");
    }
    assert!(!output.contains("s3cret"), "{output}");
}
