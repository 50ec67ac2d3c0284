//! Payments arrive while something is broken: the database, the queue, the process. None is lost, and none counts twice.

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
async fn without_the_database_an_event_is_queued_and_applied_later() {
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
    // The signature is looked at all the same, before anything else.
    assert_eq!(call(&instance, &stripe_by("whsec_another", &event)).await.status, 401);
    assert_eq!(queue.count(), 2);
    assert!(instance.logged(r#""PaymentQueued":1"#).await);

    server.start_again().await;
    // What the worker does with the messages.
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
    // And the provider, which sends it again for some reason of its own.
    assert_eq!(call(&instance, &stripe(&event)).await.body["outcome"], "repeated");
    let client = scene.database.client().await;
    assert_eq!(common::webhook::status(&client, scene.booking).await, "CONFIRMED");
    assert_invariants(&client).await;
}

/// A payment every 50 ms, by four instances, while the server is away for ten seconds: all are answered 2xx, and all land.
#[tokio::test]
async fn payments_of_ten_seconds_without_postgres_all_land() {
    const PAYMENTS: u32 = 240;
    const BEFORE: u32 = 20;
    let server = Server::start(&Options::fast());
    let scene = Scene::on(server.create_database().await).await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let mut instances = Vec::new();
    for _ in 0..4 {
        instances.push(Arc::new(ready(scene.confirm(&queue.endpoint(), &queue.queue_url())).await));
    }
    // 49 bookings are all that the show has besides the first; the rest pay for one that is paid: to be refunded.
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
async fn without_the_database_and_the_queue_the_provider_must_come_again() {
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

/// Neither says a word: the answer comes within the function's time all the same.
#[tokio::test]
async fn a_database_and_a_queue_that_are_silent_are_answered_in_time() {
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

/// The database, the queue and what the function waits for before them: it has a third of the time that they may take, and
/// answers before it is up.
#[tokio::test]
async fn all_that_it_waits_for_together_ends_by_its_own_deadline() {
    let scene = Scene::new().await;
    let proxy = Proxy::to_port(scene.database.port()).await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let silent = BlackHole::start().await;
    let url = scene.database.url_at(proxy.port(), "disable");
    let short = Duration::from_secs(6);
    let event = stripe(&scene.paid(1));
    // The queue takes it: the time for it is spared, however long the database would be waited for.
    let instance = ready(confirm(&url, &queue.endpoint(), &queue.queue_url()).timeout(short)).await;
    proxy.freeze();
    assert_eq!(call(&instance, &event).await.body["outcome"], "queued");
    // It says no word either.
    proxy.resume();
    let instance = ready(confirm(&url, &silent.endpoint(), &silent.queue_url()).timeout(short)).await;
    proxy.freeze();
    let answer = call(&instance, &event).await;
    assert_eq!((answer.status, answer.problem()), (503, "unavailable"));
    // Nor do the secrets.
    let builder = confirm(&url, &silent.endpoint(), &silent.queue_url()).env("STRIPE_WEBHOOK_SECRETS", "");
    let arn = "arn:aws:secretsmanager:us-east-1:000000000000:secret:webhooks-AbCdEf";
    proxy.resume();
    let instance = ready(builder.env("STRIPE_WEBHOOK_SECRET_ARN", arn).timeout(Duration::from_millis(1500))).await;
    proxy.freeze();
    let answer = call(&instance, &event).await;
    assert_eq!((answer.status, answer.problem()), (503, "unavailable"));
}

#[tokio::test]
async fn a_queue_that_refuses_is_not_asked_while_the_database_is_there() {
    let scene = Scene::new().await;
    let refusing = Refusing::start();
    let instance = ready(scene.confirm(&refusing.endpoint(), &refusing.queue_url())).await;
    assert_eq!(call(&instance, &stripe(&scene.paid(1))).await.body["outcome"], "confirmed");
}

/// Somebody has the booking's lock for longer than a statement waits.
#[tokio::test]
async fn a_lock_that_is_too_slow_queues_the_event() {
    let scene = Scene::new().await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let instance = ready(scene.confirm(&queue.endpoint(), &queue.queue_url())).await;
    // A superuser: no timeout ends its transaction.
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

/// SQS takes 256 KiB: an event of 5 MB goes there without most of its body, and with all that it says.
#[tokio::test]
async fn a_large_event_fits_the_queue() {
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

/// Killed when the event has not reached the database: the provider's next delivery is the first.
#[tokio::test]
async fn a_process_killed_before_the_commit_has_done_nothing() {
    let scene = Scene::new().await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let proxy = Proxy::to_port(scene.database.port()).await;
    let url = scene.database.url_at(proxy.port(), "disable");
    let doomed = ready(confirm(&url, &queue.endpoint(), &queue.queue_url())).await;
    proxy.freeze();
    let event = stripe(&scene.paid(1));
    let heard = proxy.heard();
    let (lost, ()) = tokio::join!(doomed.invoke(&event), async {
        until("what it asks the database is on its way", async || proxy.heard() > heard).await;
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

/// Killed when its effect is committed and not answered: the provider's next delivery changes nothing.
#[tokio::test]
async fn a_process_killed_after_the_commit_has_done_it_once() {
    let scene = Scene::new().await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let proxy = Proxy::to_port(scene.database.port()).await;
    let url = scene.database.url_at(proxy.port(), "disable");
    let doomed = ready(confirm(&url, &queue.endpoint(), &queue.queue_url())).await;
    // Its statement is prepared by then.
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
