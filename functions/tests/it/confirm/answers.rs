//! The confirm binary's answers to payment events. Runs the real binary in a Lambda runtime.

use crate::common::{
    call, ready,
    webhook::{
        AMOUNT, STANDARD_SECRET, STRIPE_SECRET, Scene, book, in_base64, paid, standard, status, stripe, stripe_by,
        stripe_event, stripe_with,
    },
};
use std::{sync::Arc, time::Duration};

use boxoffice_testkit::{invariants::assert_invariants, lambda::Instance, sqs::FixedDelayQueue};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// A scene, a queue that accepts messages, and one confirm instance.
async fn start() -> (Scene, FixedDelayQueue, Instance) {
    let scene = Scene::new().await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let instance = ready(scene.confirm(&queue.endpoint(), &queue.queue_url())).await;
    (scene, queue, instance)
}

#[tokio::test]
async fn payment_confirms_the_booking_and_its_repetition_changes_nothing() {
    let (scene, queue, instance) = start().await;
    let event = scene.paid(1);
    let answer = call(&instance, &stripe(&event)).await;
    assert_eq!((answer.status, &answer.body["outcome"]), (200, &json!("confirmed")));
    assert_eq!(scene.status().await, "CONFIRMED");
    assert!(instance.logged(r#""Confirmed":1"#).await);
    for _ in 0..3 {
        let answer = call(&instance, &stripe(&event)).await;
        assert_eq!((answer.status, &answer.body["outcome"]), (200, &json!("repeated")));
    }
    // The checkout session reports the same payment.
    let session = json!({
        "id": "cs_1", "object": "checkout.session", "payment_intent": "pi_1", "payment_status": "paid",
        "amount_total": AMOUNT, "currency": "eur", "client_reference_id": scene.booking.to_string(),
    });
    let answer = call(&instance, &stripe(&stripe_event("evt_s", "checkout.session.completed", &session))).await;
    assert_eq!((answer.status, &answer.body["outcome"]), (200, &json!("kept")));
    assert_eq!(scene.payments().await, ["pi_1 confirmed"]);
    assert_eq!(queue.count(), 0);
    assert_invariants(&scene.client).await;
}

#[tokio::test]
async fn standard_webhooks_confirm_and_refund() {
    let (scene, _queue, instance) = start().await;
    let body = |event_type: &str| {
        json!({
            "type": event_type, "timestamp": "2026-07-01T12:00:00Z",
            "data": { "booking_id": scene.booking.to_string(), "payment_id": "pay_1", "amount": AMOUNT, "currency": "EUR" },
        })
        .to_string()
    };
    let answer = call(&instance, &in_base64(standard("msg_1", &body("payment.succeeded")))).await;
    assert_eq!((answer.status, &answer.body["outcome"]), (200, &json!("confirmed")));
    let answer = call(&instance, &standard("msg_2", &body("payment.refunded"))).await;
    assert_eq!((answer.status, &answer.body["outcome"]), (200, &json!("refunded")));
    assert_eq!(scene.status().await, "FAILED refunded");
    assert_eq!(scene.payments().await, ["pay_1 refunded"]);
    assert_invariants(&scene.client).await;
}

/// The signature covers the bytes that Stripe sent, not their base64 form.
#[tokio::test]
async fn stripe_body_in_base64_is_accepted() {
    let (scene, _queue, instance) = start().await;
    let answer = call(&instance, &in_base64(stripe(&scene.paid(1)))).await;
    assert_eq!((answer.status, &answer.body["outcome"]), (200, &json!("confirmed")));
}

#[tokio::test]
async fn same_event_delivered_20_times_at_once_has_one_effect() {
    let (scene, queue, first) = start().await;
    let mut instances = vec![Arc::new(first)];
    for _ in 1..4 {
        instances.push(Arc::new(ready(scene.confirm(&queue.endpoint(), &queue.queue_url())).await));
    }
    let event = stripe(&scene.paid(1));
    let mut calls = JoinSet::new();
    for number in 0..20 {
        let (instance, event) = (Arc::clone(&instances[number % 4]), event.clone());
        calls.spawn(async move { call(&instance, &event).await });
    }
    let mut outcomes = Vec::new();
    while let Some(answer) = calls.join_next().await {
        let answer = answer.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        outcomes.push(answer.body["outcome"].as_str().unwrap().to_owned());
    }
    assert_eq!(outcomes.iter().filter(|outcome| *outcome == "confirmed").count(), 1, "{outcomes:?}");
    assert_eq!(outcomes.iter().filter(|outcome| *outcome == "repeated").count(), 19, "{outcomes:?}");
    assert_eq!(scene.payments().await, ["pi_1 confirmed"]);
    assert_eq!(queue.count(), 0);
    assert_invariants(&scene.client).await;
}

#[tokio::test]
async fn bad_signature_is_401_without_a_reason() {
    let (scene, queue, instance) = start().await;
    let body = scene.paid(1);
    let mut changed = stripe(&body);
    changed["body"] = json!(body.replace("5000", "5001"));
    let mut standard_changed = standard("msg_1", &body);
    standard_changed["headers"]["webhook-id"] = json!("msg_2");
    standard_changed["multiValueHeaders"]["webhook-id"] = json!(["msg_2"]);
    let mut documents = Vec::new();
    for event in [
        stripe_with(&[], &body),
        stripe_with(&[("Stripe-Signature", "")], &body),
        stripe_with(&[("Stripe-Signature", "t=1700000000,v1=00")], &body),
        stripe_by("whsec_another", &body),
        // The secret of the other endpoint.
        stripe_by(STANDARD_SECRET, &body),
        changed,
        standard_changed,
        // Not even JSON.
        stripe_with(&[], "}"),
        stripe_with(&[], ""),
    ] {
        let answer = call(&instance, &event).await;
        assert_eq!((answer.status, answer.problem()), (401, "unauthorized"), "{event}");
        documents.push(answer.body);
    }
    assert!(documents.iter().all(|document| *document == documents[0]), "{documents:?}");
    assert!(instance.logged(r#""WebhookRefused":1"#).await);
    assert_eq!((scene.status().await.as_str(), scene.events().await.len(), queue.count()), ("PENDING", 0, 0));
}

#[tokio::test]
async fn endpoint_without_secrets_refuses_every_event() {
    let scene = Scene::new().await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let builder = scene.confirm(&queue.endpoint(), &queue.queue_url());
    let instance = ready(builder.env("STRIPE_WEBHOOK_SECRETS", "")).await;
    assert_eq!(call(&instance, &stripe(&scene.paid(1))).await.status, 401);
    // HMAC would take an empty key.
    assert_eq!(call(&instance, &stripe_by("", &scene.paid(1))).await.status, 401);
}

#[tokio::test]
async fn both_secrets_are_accepted_during_rotation() {
    let scene = Scene::new().await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let builder = scene.confirm(&queue.endpoint(), &queue.queue_url());
    let both = format!("whsec_new,{STRIPE_SECRET}");
    let instance = ready(builder.env("STRIPE_WEBHOOK_SECRETS", both)).await;
    assert_eq!(call(&instance, &stripe_by("whsec_new", &scene.paid(1))).await.body["outcome"], "confirmed");
    assert_eq!(call(&instance, &stripe(&scene.paid(1))).await.body["outcome"], "repeated");
}

#[tokio::test]
async fn unreadable_signed_body_is_kept_and_counted() {
    let (scene, queue, instance) = start().await;
    for body in ["not json \u{0} at all", r#"{"test": 2432232314}"#, "", "\u{ffff}"] {
        for event in [stripe(body), standard(&format!("msg_{}", body.len()), body)] {
            let answer = call(&instance, &event).await;
            assert_eq!((answer.status, &answer.body["outcome"]), (200, &json!("kept")), "{body:?}");
        }
    }
    let events = scene.events().await;
    assert_eq!(events.len(), 8);
    assert!(events.iter().all(|event| event.ends_with("unreadable kept")), "{events:?}");
    assert!(instance.logged(r#""WebhookUnreadable":1"#).await);
    assert_eq!(queue.count(), 0);
}

#[tokio::test]
async fn irrelevant_events_are_acknowledged_and_kept() {
    let (scene, _queue, instance) = start().await;
    let customer = json!({"id": "cus_1", "object": "customer"});
    let answer = call(&instance, &stripe(&stripe_event("evt_c", "customer.created", &customer))).await;
    assert_eq!((answer.status, &answer.body["outcome"]), (200, &json!("kept")));
    assert_eq!(scene.events().await.into_iter().collect::<Vec<_>>(), ["evt_c other kept"]);
    assert!(scene.payments().await.is_empty());
}

/// 5 MB is about the largest body that fits into Lambda's event limit of 6 MB.
#[tokio::test]
async fn large_event_is_applied_and_its_payload_is_truncated() {
    let (scene, queue, instance) = start().await;
    let large = |number: u32, filling: &str, bytes: usize| {
        let mut event: Value = serde_json::from_str(&scene.paid(number)).unwrap();
        event["data"]["object"]["description"] = json!(filling.repeat(bytes / filling.len()));
        event.to_string()
    };
    let body = large(1, "ü", 5_000_000);
    assert!(body.len() > 5_000_000);
    assert_eq!(call(&instance, &stripe(&body)).await.body["outcome"], "confirmed");
    assert_eq!(call(&instance, &in_base64(stripe(&body))).await.body["outcome"], "repeated");
    assert_eq!(scene.status().await, "CONFIRMED");
    let kept: i32 =
        scene.client.query_one("SELECT octet_length(payload) FROM payment_events", &[]).await.unwrap().get(0);
    assert!((65_530..=65_536).contains(&kept), "{kept}");
    // A large body's signature is verified too.
    let changed = body.replace("5000", "5001");
    let mut forged = stripe(&body);
    forged["body"] = json!(changed);
    assert_eq!(call(&instance, &forged).await.status, 401);
    assert_eq!(queue.count(), 0);
    // Larger than API Gateway passes on.
    let answer = call(&instance, &stripe(&" ".repeat(10 * 1024 * 1024 + 1))).await;
    assert_eq!((answer.status, answer.problem()), (413, "body-too-large"));
}

/// Each payment ends in exactly one state. The admin tests cover what operators then see.
#[tokio::test]
async fn wrong_late_and_duplicate_payments_become_refund_due() {
    let (scene, _queue, instance) = start().await;
    let wrong = scene.paid(1).replace("5000", "4999");
    assert_eq!(call(&instance, &stripe(&wrong)).await.body["outcome"], "refund_due");
    assert_eq!(scene.status().await, "PENDING");
    assert_eq!(call(&instance, &stripe(&scene.paid(2))).await.body["outcome"], "confirmed");
    assert_eq!(call(&instance, &stripe(&scene.paid(3))).await.body["outcome"], "refund_due");
    let cancelled = book(&scene.db).await;
    boxoffice_shared::bookings::cancel(&scene.db, cancelled, None).await.unwrap();
    assert_eq!(call(&instance, &stripe(&paid(cancelled, 4))).await.body["outcome"], "refund_due");
    let expected = [
        "pi_1 refund_due wrong_amount",
        "pi_2 confirmed",
        "pi_3 refund_due already_paid",
        "pi_4 refund_due booking_cancelled",
    ];
    assert_eq!(scene.payments().await, expected);
    assert_eq!(status(&scene.client, cancelled).await, "FAILED cancelled");
    assert_invariants(&scene.client).await;
}

#[tokio::test]
async fn time_zones_of_function_and_database_do_not_matter() {
    let scene = Scene::new().await;
    let zone = format!("ALTER DATABASE {} SET TimeZone = 'Pacific/Kiritimati'", scene.database.name());
    scene.database.admin_client().await.batch_execute(&zone).await.unwrap();
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let builder = scene.confirm(&queue.endpoint(), &queue.queue_url());
    let instance = ready(builder.env("TZ", "America/St_Johns")).await;
    assert_eq!(call(&instance, &stripe(&scene.paid(1))).await.body["outcome"], "confirmed");
    let sql = "SELECT abs(extract(epoch FROM received_at - occurred_at))::float8 FROM payment_events";
    let apart: f64 = scene.client.query_one(sql, &[]).await.unwrap().get(0);
    assert!(apart < 60.0, "{apart} s");
}
