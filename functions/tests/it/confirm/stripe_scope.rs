//! Which of Stripe's events a stack takes: those of its mode and its account, through the real binaries.

use crate::common::{
    call, operator, ready,
    webhook::{STRIPE_SECRET, Scene, stripe, stripe_by, stripe_event},
};
use std::time::Duration;

use boxoffice_testkit::{
    events::api_event,
    lambda::{Builder, Instance},
    sqs::FixedDelayQueue,
};
use serde_json::{Value, json};

/// A scene and its confirm binary, not yet started, whose queue takes what it is sent.
async fn start() -> (Scene, FixedDelayQueue, Builder) {
    let scene = Scene::new().await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let builder = scene.confirm(&queue.endpoint(), &queue.queue_url());
    (scene, queue, builder)
}

/// The body with other members of the event.
fn with(body: &str, members: &Value) -> String {
    let mut event: Value = serde_json::from_str(body).unwrap();
    event.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    event.to_string()
}

/// The body with another member of its object.
fn with_own(body: &str, name: &str, value: &Value) -> String {
    let mut event: Value = serde_json::from_str(body).unwrap();
    event["data"]["object"][name] = value.clone();
    event.to_string()
}

async fn outcome(instance: &Instance, body: &str) -> String {
    let answer = call(instance, &stripe(body)).await;
    assert_eq!(answer.status, 200, "{body}: {}", answer.body);
    answer.body["outcome"].as_str().unwrap().to_owned()
}

/// None of these events was applied, kept or queued, though each named the booking and paid its price.
async fn assert_untouched(scene: &Scene, queue: &FixedDelayQueue) {
    assert_eq!(scene.status().await, "PENDING");
    assert!(scene.events().await.is_empty() && scene.payments().await.is_empty());
    assert_eq!(queue.count(), 0);
}

#[tokio::test]
async fn a_stack_that_sells_for_real_takes_no_event_of_test_mode() {
    let (scene, queue, builder) = start().await;
    let instance = ready(builder).await;
    let test = with(&scene.paid(1), &json!({"livemode": false}));
    assert_eq!(outcome(&instance, &test).await, "ignored");
    // The event is silent, its object is not.
    assert_eq!(outcome(&instance, &with_own(&scene.paid(1), "livemode", &json!(false))).await, "ignored");
    for event_type in ["charge.refunded", "charge.dispute.created", "customer.created", "unheard.of"] {
        let body = with(&stripe_event("evt_t", event_type, &json!({"id": "x"})), &json!({"livemode": false}));
        assert_eq!(outcome(&instance, &body).await, "ignored", "{event_type}");
    }
    let thin = json!({"id": "evt_2", "object": "v2.core.event", "type": "v1.x", "livemode": false}).to_string();
    assert_eq!(outcome(&instance, &thin).await, "ignored");
    assert_untouched(&scene, &queue).await;
    assert!(instance.logged(r#""WebhookIgnored":1"#).await);
    assert_eq!(instance.stdout().matches("WebhookUnreadable").count(), 0);
    // A signature that is not good tells nobody which events are taken.
    assert_eq!(call(&instance, &stripe_by("whsec_another", &test)).await.status, 401);
    // The same event in earnest.
    assert_eq!(outcome(&instance, &with(&scene.paid(1), &json!({"livemode": true}))).await, "confirmed");
}

#[tokio::test]
async fn a_stack_that_is_tried_out_takes_no_event_of_real_money() {
    let (scene, queue, builder) = start().await;
    let instance = ready(builder.env("STRIPE_MODE", "test")).await;
    assert_eq!(outcome(&instance, &with(&scene.paid(1), &json!({"livemode": true}))).await, "ignored");
    assert_untouched(&scene, &queue).await;
    assert_eq!(outcome(&instance, &with(&scene.paid(1), &json!({"livemode": false}))).await, "confirmed");
}

/// Stripe's events all say it. Each mode's endpoint has a secret of its own, so that the secret says it too.
#[tokio::test]
async fn an_event_that_says_no_mode_is_of_the_mode_whose_secret_signed_it() {
    let (scene, _queue, builder) = start().await;
    let instance = ready(builder).await;
    // What is there and says neither is not understood.
    for (number, livemode) in [json!("false"), json!("true"), json!(0), json!({})].into_iter().enumerate() {
        let id = format!("evt_odd_{number}");
        let body = with(&scene.paid(1), &json!({"livemode": livemode, "id": id}));
        assert_eq!(outcome(&instance, &body).await, "kept", "{livemode}");
        assert!(scene.events().await.contains(&format!("{id} unreadable kept")));
    }
    assert_eq!(outcome(&instance, &with(&scene.paid(1), &json!({"livemode": null}))).await, "confirmed");
    assert_eq!(outcome(&instance, &scene.paid(1)).await, "repeated");
}

#[tokio::test]
async fn another_merchants_event_is_ignored() {
    let (scene, queue, builder) = start().await;
    let instance = ready(builder).await;
    for members in [
        json!({"account": "acct_other"}),
        json!({"account": "acct_other", "context": null}),
        json!({"account": null, "context": "acct_other"}),
        json!({"context": "acct_platform/acct_other"}),
        json!({"account": {"id": "acct_other"}}),
        json!({"account": ""}),
    ] {
        assert_eq!(outcome(&instance, &with(&scene.paid(1), &members)).await, "ignored", "{members}");
    }
    assert_untouched(&scene, &queue).await;
    assert!(instance.logged(r#""WebhookIgnored":1"#).await);
    assert_eq!(
        outcome(&instance, &with(&scene.paid(1), &json!({"account": null, "context": null}))).await,
        "confirmed"
    );
}

#[tokio::test]
async fn a_stack_of_one_account_takes_that_ones_events_only() {
    let (scene, queue, builder) = start().await;
    let instance = ready(builder.env("STRIPE_ACCOUNT", "acct_ours")).await;
    for members in [
        // The platform's own.
        json!({}),
        json!({"account": "acct_other"}),
        json!({"account": "acct_ours2"}),
        json!({"account": "ACCT_OURS"}),
        json!({"account": "acct_other", "context": "acct_ours"}),
        json!({"account": "acct_ours", "livemode": false}),
    ] {
        assert_eq!(outcome(&instance, &with(&scene.paid(1), &members)).await, "ignored", "{members}");
    }
    assert_untouched(&scene, &queue).await;
    let ours = json!({"account": "acct_ours", "livemode": true});
    assert_eq!(outcome(&instance, &with(&scene.paid(1), &ours)).await, "confirmed");
    // Of an organization's endpoint.
    let charge = json!({"id": "ch_1", "object": "charge", "payment_intent": "pi_1", "amount": 5000,
        "amount_captured": 5000, "amount_refunded": 5000, "currency": "eur", "refunded": true});
    let refunded = with(&stripe_event("evt_r", "charge.refunded", &charge), &json!({"context": "acct_ours"}));
    assert_eq!(outcome(&instance, &refunded).await, "refunded");
}

/// A version that did not ask kept them; nor may an operator have them applied.
#[tokio::test]
async fn an_event_that_is_not_ours_is_not_replayed_either() {
    let scene = Scene::new().await;
    let keep = "INSERT INTO payment_events (provider, event_id, type, occurred_at, change, outcome, payload)
                VALUES ('stripe', $1, '', now(), 'unreadable', 'kept', $2)";
    for (id, members) in [
        ("evt_test", json!({"livemode": false})),
        ("evt_other", json!({"account": "acct_other"})),
        ("evt_ours", json!({"livemode": true, "account": "acct_ours"})),
    ] {
        scene.client.execute(keep, &[&id, &with(&scene.paid(1), &members)]).await.unwrap();
    }
    let admin = Instance::builder(env!("CARGO_BIN_EXE_admin"))
        .env("DATABASE_URL", scene.database.url())
        .env("STRIPE_ACCOUNT", "acct_ours");
    let admin = ready(admin).await;
    let replay = async |id: &str| {
        let (resource, path) =
            ("/admin/payments/events/{provider}/{event_id}/replay", [("provider", "stripe"), ("event_id", id)]);
        call(&admin, &operator(api_event("POST", resource, &path, &[], &[], None))).await
    };
    for id in ["evt_test", "evt_other"] {
        let answer = replay(id).await;
        assert_eq!((answer.status, answer.problem()), (409, "event-ignored"), "{id}");
    }
    assert_eq!(scene.status().await, "PENDING");
    assert_eq!(replay("evt_ours").await.body["outcome"], "confirmed");
}

/// Stripe's destinations send thin events where somebody chose them; they show no object, so that nothing can be done by
/// them. Nor by anything else that is no event, however well it is signed.
#[tokio::test]
async fn what_is_signed_and_no_snapshot_event_is_kept_as_unreadable_and_counted() {
    let (scene, _queue, builder) = start().await;
    let instance = ready(builder).await;
    let thin = |event_type: &str| {
        json!({
            "id": format!("evt_{event_type}"), "object": "v2.core.event", "type": event_type, "livemode": true,
            "created": "2026-07-01T12:00:00.000Z", "context": null,
            "related_object": {"id": "pi_1", "type": "payment_intent", "url": "/v1/payment_intents/pi_1"},
        })
        .to_string()
    };
    let paid = |object: Value| with(&scene.paid(1), &json!({"object": object, "id": format!("evt_{object}")}));
    let bodies = [
        thin("v1.payment_intent.succeeded"),
        thin("payment_intent.succeeded"),
        thin("v2.core.event_destination.ping"),
        // An event in all but name.
        paid(json!("v2.core.event")),
        paid(json!("payment_intent")),
        paid(json!("Event")),
        paid(json!(null)),
        paid(json!(7)),
        with(&stripe_event("evt_o", "customer.created", &json!({"id": "cus_1"})), &json!({"object": "list"})),
        "[]".to_owned(),
        format!("[{}]", scene.paid(1)),
        "7".to_owned(),
        "\"event\"".to_owned(),
        "null".to_owned(),
    ];
    for body in &bodies {
        assert_eq!(outcome(&instance, body).await, "kept", "{body}");
    }
    let events = scene.events().await;
    assert_eq!(events.len(), bodies.len(), "{events:?}");
    assert!(events.iter().all(|event| event.ends_with("unreadable kept")), "{events:?}");
    assert!(scene.payments().await.is_empty());
    assert!(instance.logged(r#""WebhookUnreadable":1"#).await);
    // A second event in one body, and a good signature of it all: no.
    let two = format!("{0}{0}", scene.paid(1));
    assert_eq!(call(&instance, &stripe_by(STRIPE_SECRET, &two)).await.body["outcome"], "kept");
    assert_eq!(scene.status().await, "PENDING");
}
