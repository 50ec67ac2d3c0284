//! The real expire-holds binary: every message is safe twice, early, late and about anything.

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

/// The message, sent back so often.
fn sent_back(body: &str, hops: u16) -> String {
    let mut message: serde_json::Value = serde_json::from_str(body).unwrap();
    message["hops"] = hops.into();
    message.to_string()
}

async fn expire_holds(stage: &Stage, queue: &FixedDelayQueue) -> Instance {
    stage.worker(EXPIRE_HOLDS, &queue.endpoint(), &queue.queue_url()).await
}

#[tokio::test]
async fn a_message_twice_gives_the_seats_back_once() {
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
    assert_eq!(queue.count(), 0, "nothing is sent back");
    assert_invariants(&stage.client).await;
}

/// The real way round, by a real queue: too early, sent back with the delay that is left, delivered when it is over.
#[tokio::test]
async fn a_message_that_is_early_comes_back_when_the_hold_is_over() {
    let stage = Stage::new().await;
    let sqs = Sqs::shared();
    let url = sqs.create_queue("early").await;
    let worker = stage.worker(EXPIRE_HOLDS, &sqs.endpoint(), &url).await;
    // Time enough for the first look to be early on any machine.
    let booking = stage.pending(5.0).await;
    let report = worker.invoke(&sqs_event(&[("early", &body(&booking))])).await.unwrap();
    assert_eq!(failures(&report), [""; 0]);
    assert_eq!(stage.status(&booking).await, "PENDING");
    assert_eq!(sqs.counts(&url).await.delayed, 1, "it is in the queue, and not to be had yet");

    let mut messages = Vec::new();
    until("the message is delivered", async || {
        messages.extend(sqs.receive_all(&url).await);
        !messages.is_empty()
    })
    .await;
    assert_eq!(messages.len(), 1);
    let report = worker.invoke(&sqs_event(&[("again", &messages[0].body)])).await.unwrap();
    assert_eq!(failures(&report), [""; 0]);
    // Delays are rounded up: it came when the hold was over, by the database's clock.
    assert_eq!(stage.status(&booking).await, "FAILED expired");
    assert_invariants(&stage.client).await;
}

#[tokio::test]
async fn what_is_sent_back_says_the_delay_that_is_left() {
    let stage = Stage::new().await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let worker = expire_holds(&stage, &queue).await;
    let (soon, late) = (stage.pending(60.0).await, stage.pending(5_000.0).await);
    let (soon, late) = (body(&soon), body(&late));
    let report = worker.invoke(&sqs_event(&[("soon", &soon), ("late", &late), ("soon again", &soon)])).await.unwrap();
    assert_eq!(failures(&report), [""; 0]);
    let sent = queue.sent();
    // One message a booking, however often it came.
    assert_eq!(sent.len(), 2);
    for message in sent {
        let delay = message.delay_seconds.unwrap();
        if message.body == sent_back(&soon, 1) {
            // Less the time that this test took: some seconds on the slowest machine.
            assert!((30..=60).contains(&delay), "{delay}");
        } else {
            assert_eq!(message.body, sent_back(&late, 1));
            assert_eq!(delay, 900, "the most that SQS takes; then it is sent back again");
        }
    }
}

/// Lambda's own detection of loops is off for this function, so there is a bound of our own.
#[tokio::test]
async fn a_message_is_not_sent_back_for_ever() {
    let stage = Stage::new().await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let worker = expire_holds(&stage, &queue).await;
    let (often, too_often) = (body(&stage.pending(600.0).await), body(&stage.pending(600.0).await));
    let (often, too_often) = (sent_back(&often, 999), sent_back(&too_often, 1_000));
    let batch = sqs_event(&[("often", &often), ("too often", &too_often), ("the first, late", &sent_back(&often, 3))]);
    let report = worker.invoke(&batch).await.unwrap();
    assert_eq!(failures(&report), [""; 0], "the sweep takes its place: that is no failure");
    let sent: Vec<_> = queue.sent().into_iter().map(|message| message.body).collect();
    assert_eq!(
        sent,
        [sent_back(&often, 1_000)],
        "of two messages of one hold, the one that was sent back more often counts"
    );
    assert!(worker.stdout().contains("HoldMessageFailed"), "{}", worker.stdout());
}

#[tokio::test]
async fn a_batch_of_everything_fails_for_what_cannot_be_read_alone() {
    let stage = Stage::new().await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let worker = expire_holds(&stage, &queue).await;
    let (due, pending) = (stage.due().await, stage.pending(60.0).await);
    let (confirmed, cancelled, expired) = (stage.confirmed().await, stage.cancelled().await, stage.expired().await);
    let nobody = "1-019a5b7e-8f00-7abc-8def-0123456789ab".to_owned();
    let no_show = "77-019a5b7e-8f00-7abc-8def-0123456789ab".to_owned();
    let [due_text, pending_text, confirmed_text, cancelled_text, expired_text, nobody, no_show] =
        [&due, &pending, &confirmed, &cancelled, &expired, &nobody, &no_show].map(|id| body(id));
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
        ("nobody", &nobody),
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
        assert_eq!(queue.count(), round + 1, "the one that is not due is sent back");
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
        // Both messages of the one booking: SQS keeps them, and delivers them again.
        assert_eq!(failures(&report), ["one", "poison", "two"]);
        assert_eq!(stage.status(&due).await, "FAILED expired");
        assert_eq!(stage.status(&pending).await, "PENDING");
    }
    assert_invariants(&stage.client).await;
}

/// Without the database nothing is known of any message: all of them are reported, and SQS delivers them again.
#[tokio::test]
async fn a_database_that_is_down_fails_the_batch_and_is_found_again() {
    let server = Server::start(&Options::fast());
    let stage = Stage::on(server.create_database().await).await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let worker = expire_holds(&stage, &queue).await;
    let booking = stage.due().await;
    let batch = sqs_event(&[("one", &body(&booking))]);
    server.stop(Stop::Fast).await;
    assert_eq!(failures(&worker.invoke(&batch).await.unwrap()), ["one"]);
    server.start_again().await;
    // The same instance, with no help.
    let report = worker.invoke(&batch).await.unwrap();
    assert_eq!(failures(&report), [""; 0]);
    let client = stage.database.client().await;
    assert_invariants(&client).await;
    let status: String = client.query_one("SELECT status FROM bookings", &[]).await.unwrap().get(0);
    assert_eq!(status, "FAILED");
}

/// An instance that starts while the database is away comes up, and works when it is back.
#[tokio::test]
async fn an_instance_starts_without_a_database() {
    let refusing = Refusing::start();
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let url = format!("postgres://boxoffice:boxoffice@{}/boxoffice?sslmode=disable", refusing.address());
    let worker = builder(EXPIRE_HOLDS, &queue.endpoint(), &queue.queue_url()).env("DATABASE_URL", url).start().await;
    worker.ready().await.unwrap();
    let nobody = body("1-019a5b7e-8f00-7abc-8def-0123456789ab");
    assert_eq!(failures(&worker.invoke(&sqs_event(&[("one", &nobody)])).await.unwrap()), ["one"]);
}

fn nobodies() -> Vec<(String, String)> {
    (0..10).map(|n| (n.to_string(), body(&format!("1-019a5b7e-8f00-7abc-8def-01234567890{n}")))).collect()
}

async fn failing_worker(server: &FailingServer) -> Instance {
    let worker =
        builder(EXPIRE_HOLDS, "http://127.0.0.1:1", "http://127.0.0.1:1/holds").env("DATABASE_URL", server.url());
    let worker = worker.start().await;
    worker.ready().await.unwrap();
    worker
}

/// The four attempts of one statement, and not those of ten more.
#[tokio::test]
async fn without_the_database_no_hold_is_tried_by_itself() {
    let server = FailingServer::start().await;
    let worker = failing_worker(&server).await;
    let messages = nobodies();
    let messages: Vec<_> = messages.iter().map(|(id, body)| (id.as_str(), body.as_str())).collect();
    server.fail(Moment::Execute, "FATAL", "57P01", 1_000);
    assert_eq!(failures(&worker.invoke(&sqs_event(&messages)).await.unwrap()).len(), 10);
    assert_eq!(server.failed(), 4);
}

/// A batch that fails for one of its rows is taken apart; the database goes away at the third of its holds.
#[tokio::test]
async fn a_database_that_goes_away_ends_the_batch() {
    let server = FailingServer::start().await;
    let worker = failing_worker(&server).await;
    let messages = nobodies();
    let messages: Vec<_> = messages.iter().map(|(id, body)| (id.as_str(), body.as_str())).collect();
    // The batch, and the first two holds by themselves: what is wrong is with them.
    server.fail(Moment::Execute, "ERROR", "23514", 3);
    server.then_fail(Moment::Execute, "FATAL", "57P01", 1_000);
    assert_eq!(failures(&worker.invoke(&sqs_event(&messages)).await.unwrap()).len(), 10);
    assert_eq!(server.failed(), 3 + 4);
}

/// The function's own time is shorter than what the database and the queue may take: it is told of in time all the same.
#[tokio::test]
async fn what_cannot_be_done_in_time_is_reported_before_the_time_is_up() {
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
    // A message each of ten that cannot be sent back, 1.5 s each.
    assert_eq!(failures(&worker.invoke(&sqs_event(&messages)).await.unwrap()).len(), 10);
    proxy.freeze();
    assert_eq!(failures(&worker.invoke(&sqs_event(&messages)).await.unwrap()).len(), 10);
}

/// Counted when it comes, and not each time that SQS delivers it until it is a dead letter.
#[tokio::test]
async fn a_poison_message_is_counted_once() {
    let stage = Stage::new().await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let worker = expire_holds(&stage, &queue).await;
    let batch = sqs_event(&[("poison", "not ours")]);
    for count in 1..=5 {
        assert_eq!(failures(&worker.invoke(&delivered_again(batch.clone(), count)).await.unwrap()), ["poison"]);
    }
    // The log line of a message comes before its answer, and this one is counted too.
    assert_eq!(failures(&worker.invoke(&sqs_event(&[("other", "null")])).await.unwrap()), ["other"]);
    assert!(worker.logged("other").await);
    assert_eq!(worker.stdout().matches("\"PoisonMessage\":1").count(), 2, "{}", worker.stdout());
}

#[tokio::test]
async fn an_unusable_environment_is_said_at_once_and_all_of_it() {
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
    let said = worker.stdout() + &worker.stderr();
    let line = said.lines().find(|line| line.contains("cannot start")).unwrap_or_else(|| panic!("{said}"));
    for name in ["DATABASE_URL", "HOLD_QUEUE_URL", "AWS_LAMBDA_MAX_CONCURRENCY"] {
        assert!(line.contains(name), "{name} is not in: {line}");
    }
    assert!(!said.contains("s3cret"), "{said}");
}
