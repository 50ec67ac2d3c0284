//! Payments that arrive while the database, the queue or the process fails. None is lost, and none counts twice.

use crate::common::{
    self, call, ready, until,
    webhook::{Scene, book, confirm, paid, stripe, stripe_by},
};
use std::{sync::Arc, time::Duration};

use boxoffice_shared::payments::{self, Recorded, read_payment_message};
use boxoffice_testkit::{
    invariants::assert_invariants,
    lambda::InvokeError,
    postgres::{Options, Server, Stop},
    proxy::Proxy,
    sqs::{BlackHole, FixedDelayQueue, Refusing},
};
use serde_json::json;
use tokio::{task::JoinSet, time::Instant};

#[tokio::test]
async fn event_is_queued_during_a_database_outage_and_applied_later() {
    let server = Server::start(&Options::fast());
    let scene = Scene::on(server.create_database().await).await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let instance = ready(scene.confirm(&queue.endpoint(), &queue.queue_url())).await;
    server.stop(Stop::Immediate).await;
    let event = scene.paid(1);
    for _ in 0..2 {
        let answer = call(&instance, &stripe(&event)).await;
        assert_eq!((answer.status, &answer.body["outcome"]), (200, &json!("queued")));
    }
    // The signature is still verified, before anything else.
    assert_eq!(call(&instance, &stripe_by("whsec_another", &event)).await.status, 401);
    assert_eq!(queue.count(), 2);
    assert!(instance.logged(r#""PaymentQueued":1"#).await);

    server.start_again().await;
    // Process the messages as the worker does.
    let mut outcomes = Vec::new();
    for message in queue.sent() {
        assert_eq!(message.delay_seconds, None);
        let queued = read_payment_message(&message.body).unwrap();
        assert_eq!(queued.payload.as_str(), event);
        outcomes.push(
            payments::record(&scene.db, &queued, &boxoffice_shared::holders::HolderLimits::DEFAULT).await.unwrap(),
        );
    }
    assert_eq!(outcomes, [Recorded::Confirmed, Recorded::Repeated]);
    // The provider delivers the event once more.
    assert_eq!(call(&instance, &stripe(&event)).await.body["outcome"], "repeated");
    let client = scene.database.client().await;
    assert_eq!(common::webhook::status(&client, scene.booking).await, "CONFIRMED");
    assert_invariants(&client).await;
}

/// A payment every 50 ms to four instances while the server is down for ten seconds: all are answered 200 and recorded.
#[tokio::test]
async fn payments_during_a_ten_second_outage_are_all_recorded() {
    const PAYMENTS: u32 = 240;
    const BEFORE: u32 = 20;
    let server = Server::start(&Options::fast());
    let scene = Scene::on(server.create_database().await).await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let mut instances = Vec::new();
    for _ in 0..4 {
        instances.push(Arc::new(ready(scene.confirm(&queue.endpoint(), &queue.queue_url())).await));
    }
    // The show has room for 49 more bookings. The remaining payments are for bookings already paid and become
    // refund_due.
    let mut bookings = vec![scene.booking];
    for _ in 1..50 {
        bookings.push(book(&scene.db).await);
    }
    let mut calls = JoinSet::new();
    // The pace of the payments, and the ten seconds, are what is tested.
    let mut pace = tokio::time::interval(Duration::from_millis(50));
    let (all_is_well, outage) = tokio::sync::oneshot::channel();
    let mut all_is_well = Some(all_is_well);
    let arrive = async {
        for number in 0..PAYMENTS {
            pace.tick().await;
            let instance = Arc::clone(&instances[number as usize % 4]);
            let event = stripe(&paid(bookings[number as usize % 50], number));
            calls.spawn(async move { call(&instance, &event).await });
            if number == BEFORE {
                all_is_well.take().unwrap().send(()).unwrap();
            }
        }
    };
    let outage = async {
        outage.await.unwrap();
        server.stop(Stop::Immediate).await;
        tokio::time::sleep(Duration::from_secs(10)).await;
        server.start_again().await;
    };
    tokio::join!(arrive, outage);
    while let Some(answer) = calls.join_next().await {
        let answer = answer.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    assert!(queue.count() > 0);
    for message in queue.sent() {
        payments::record(
            &scene.db,
            &read_payment_message(&message.body).unwrap(),
            &boxoffice_shared::holders::HolderLimits::DEFAULT,
        )
        .await
        .unwrap();
    }
    let client = scene.database.client().await;
    let count = async |sql: &str| client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0);
    assert_eq!(count("SELECT count(*) FROM payment_events").await, i64::from(PAYMENTS));
    assert_eq!(count("SELECT count(*) FROM bookings WHERE status = 'CONFIRMED'").await, 50);
    assert_eq!(count("SELECT count(*) FROM payments WHERE state = 'confirmed'").await, 50);
    assert_eq!(count("SELECT count(*) FROM payments WHERE state = 'refund_due'").await, i64::from(PAYMENTS) - 50);
    assert_invariants(&client).await;
}

#[tokio::test]
async fn outage_of_database_and_queue_makes_the_provider_retry() {
    let server = Server::start(&Options::fast());
    let scene = Scene::on(server.create_database().await).await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let instance = ready(scene.confirm(&queue.endpoint(), &queue.queue_url())).await;
    server.stop(Stop::Immediate).await;
    queue.set_failing(true);
    let event = stripe(&scene.paid(1));
    let answer = call(&instance, &event).await;
    assert_eq!((answer.status, answer.problem()), (503, "unavailable"));
    assert_eq!(answer.header("retry-after"), Some("2"));
    assert!(instance.logged(r#""PaymentNotTaken":1"#).await);
    server.start_again().await;
    assert_eq!(call(&instance, &event).await.body["outcome"], "confirmed");
    assert_eq!(queue.count(), 0);
}

/// The database and the queue accept connections but never reply. The answer still comes before the function times out.
#[tokio::test]
async fn silent_database_and_queue_are_503_before_the_function_times_out() {
    let scene = Scene::new().await;
    let proxy = Proxy::to_port(scene.database.port()).await;
    let silent = BlackHole::start().await;
    let url = scene.database.url_at(proxy.port(), "disable");
    let instance = ready(confirm(&url, &silent.endpoint(), &silent.queue_url())).await;
    proxy.freeze();
    let since = Instant::now();
    let answer = call(&instance, &stripe(&scene.paid(1))).await;
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert!(since.elapsed() < common::TIMEOUT, "{:?}", since.elapsed());
}

/// The function's timeout is a third of what the waits for the secrets, the database and the queue may take together.
/// It still answers in time.
#[tokio::test]
async fn all_waits_together_end_by_the_deadline() {
    let scene = Scene::new().await;
    let proxy = Proxy::to_port(scene.database.port()).await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let silent = BlackHole::start().await;
    let url = scene.database.url_at(proxy.port(), "disable");
    let short = Duration::from_secs(6);
    let event = stripe(&scene.paid(1));
    // The wait for the database leaves enough time to send the event to the queue.
    let instance = ready(confirm(&url, &queue.endpoint(), &queue.queue_url()).timeout(short)).await;
    proxy.freeze();
    assert_eq!(call(&instance, &event).await.body["outcome"], "queued");
    // The queue does not reply either.
    proxy.resume();
    let instance = ready(confirm(&url, &silent.endpoint(), &silent.queue_url()).timeout(short)).await;
    proxy.freeze();
    let answer = call(&instance, &event).await;
    assert_eq!((answer.status, answer.problem()), (503, "unavailable"));
    // Secrets Manager does not reply either.
    let builder = confirm(&url, &silent.endpoint(), &silent.queue_url()).env("STRIPE_WEBHOOK_SECRETS", "");
    let arn = "arn:aws:secretsmanager:us-east-1:000000000000:secret:webhooks-AbCdEf";
    proxy.resume();
    let instance = ready(builder.env("STRIPE_WEBHOOK_SECRET_ARN", arn).timeout(Duration::from_millis(1500))).await;
    proxy.freeze();
    let answer = call(&instance, &event).await;
    assert_eq!((answer.status, answer.problem()), (503, "unavailable"));
}

#[tokio::test]
async fn queue_outage_does_not_matter_while_the_database_is_up() {
    let scene = Scene::new().await;
    let refusing = Refusing::start();
    let instance = ready(scene.confirm(&refusing.endpoint(), &refusing.queue_url())).await;
    assert_eq!(call(&instance, &stripe(&scene.paid(1))).await.body["outcome"], "confirmed");
}

/// Another transaction holds the booking's lock for longer than the lock timeout.
#[tokio::test]
async fn lock_timeout_queues_the_event() {
    let scene = Scene::new().await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let instance = ready(scene.confirm(&queue.endpoint(), &queue.queue_url())).await;
    // A superuser's transaction has no timeout.
    let holder = scene.database.admin_client().await;
    holder.batch_execute("BEGIN; SELECT FROM bookings FOR UPDATE").await.unwrap();
    let event = stripe(&scene.paid(1));
    assert_eq!(call(&instance, &event).await.body["outcome"], "queued");
    assert!(scene.events().await.is_empty());
    holder.batch_execute("COMMIT").await.unwrap();
    let queued = read_payment_message(&queue.sent()[0].body).unwrap();
    assert_eq!(
        payments::record(&scene.db, &queued, &boxoffice_shared::holders::HolderLimits::DEFAULT).await.unwrap(),
        Recorded::Confirmed
    );
    assert_eq!(call(&instance, &event).await.body["outcome"], "repeated");
}

/// An SQS message has at most 256 KiB. A larger event is queued with a truncated payload and its complete change.
#[tokio::test]
async fn large_event_fits_the_queue() {
    let server = Server::start(&Options::fast());
    let scene = Scene::on(server.create_database().await).await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let instance = ready(scene.confirm(&queue.endpoint(), &queue.queue_url())).await;
    server.stop(Stop::Immediate).await;
    let mut events = Vec::new();
    for (number, filling) in [(1, "ü"), (2, "\u{1}"), (3, "\"")] {
        let mut event: serde_json::Value = serde_json::from_str(&scene.paid(number)).unwrap();
        event["data"]["object"]["description"] = json!(filling.repeat(800_000));
        events.push(event.to_string());
    }
    for event in &events {
        assert_eq!(call(&instance, &stripe(event)).await.body["outcome"], "queued");
    }
    server.start_again().await;
    let mut outcomes = Vec::new();
    for (message, event) in queue.sent().iter().zip(&events) {
        assert!(message.body.len() <= 256 * 1024, "{}", message.body.len());
        let queued = read_payment_message(&message.body).unwrap();
        assert!(event.starts_with(queued.payload.as_str()));
        outcomes.push(
            payments::record(&scene.db, &queued, &boxoffice_shared::holders::HolderLimits::DEFAULT).await.unwrap(),
        );
    }
    let already = Recorded::RefundDue(boxoffice_shared::payments::RefundReason::AlreadyPaid);
    assert_eq!(outcomes, [Recorded::Confirmed, already, already]);
}

/// The process is killed before the event reaches the database. The provider's next delivery takes effect.
#[tokio::test]
async fn process_killed_before_the_commit_changes_nothing() {
    let scene = Scene::new().await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let proxy = Proxy::to_port(scene.database.port()).await;
    let url = scene.database.url_at(proxy.port(), "disable");
    let doomed = ready(confirm(&url, &queue.endpoint(), &queue.queue_url())).await;
    proxy.freeze();
    let event = stripe(&scene.paid(1));
    let heard = proxy.heard();
    let (lost, ()) = tokio::join!(doomed.invoke(&event), async {
        until("the statement is sent", async || proxy.heard() > heard).await;
        doomed.kill().await;
    });
    assert!(matches!(lost, Err(InvokeError::Exited { .. })), "{lost:?}");
    proxy.cut();
    proxy.resume();
    assert!(scene.events().await.is_empty());
    let next = ready(confirm(&url, &queue.endpoint(), &queue.queue_url())).await;
    assert_eq!(call(&next, &event).await.body["outcome"], "confirmed");
    assert_eq!((scene.status().await.as_str(), queue.count()), ("CONFIRMED", 0));
    assert_invariants(&scene.client).await;
}

/// The process is killed after the commit and before it answers. The provider's next delivery changes nothing.
#[tokio::test]
async fn process_killed_after_the_commit_applies_the_event_once() {
    let scene = Scene::new().await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let proxy = Proxy::to_port(scene.database.port()).await;
    let url = scene.database.url_at(proxy.port(), "disable");
    let doomed = ready(confirm(&url, &queue.endpoint(), &queue.queue_url())).await;
    // This event makes it prepare the statement.
    assert_eq!(call(&doomed, &stripe("{}")).await.body["outcome"], "kept");
    proxy.freeze_replies();
    let event = stripe(&scene.paid(1));
    let (lost, ()) = tokio::join!(doomed.invoke(&event), async {
        until("the payment is committed", async || scene.status().await == "CONFIRMED").await;
        doomed.kill().await;
    });
    assert!(matches!(lost, Err(InvokeError::Exited { .. })), "{lost:?}");
    proxy.cut();
    proxy.resume();
    let next = ready(confirm(&url, &queue.endpoint(), &queue.queue_url())).await;
    assert_eq!(call(&next, &event).await.body["outcome"], "repeated");
    assert_eq!(scene.payments().await, ["pi_1 confirmed"]);
    assert_invariants(&scene.client).await;
}
