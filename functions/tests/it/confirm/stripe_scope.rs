//! A stack takes only the Stripe events of its own mode and account. Runs the real binaries.

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

/// A scene, a queue that accepts messages, and the confirm binary, not yet started.
async fn start() -> (Scene, FixedDelayQueue, Builder) {
    let scene = Scene::new().await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let builder = scene.confirm(&queue.endpoint(), &queue.queue_url());
    (scene, queue, builder)
}

/// The body with these members of the event replaced.
fn with(body: &str, members: &Value) -> String {
    let mut event: Value = serde_json::from_str(body).unwrap();
    event.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    event.to_string()
}

/// The body with this member of its object replaced.
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

/// Asserts that no event was applied, kept or queued, although each one named the booking and paid its price.
async fn assert_untouched(scene: &Scene, queue: &FixedDelayQueue) {
    assert_eq!(scene.status().await, "PENDING");
    assert!(scene.events().await.is_empty() && scene.payments().await.is_empty());
    assert_eq!(queue.count(), 0);
}

#[tokio::test]
async fn live_stack_ignores_test_events() {
    let (scene, queue, builder) = start().await;
    let instance = ready(builder).await;
    let test = with(&scene.paid(1), &json!({"livemode": false}));
    assert_eq!(outcome(&instance, &test).await, "ignored");
    // Only the event's object has the mode.
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
    // A bad signature does not reveal which events are taken.
    assert_eq!(call(&instance, &stripe_by("whsec_another", &test)).await.status, 401);
    // The same event in live mode.
    assert_eq!(outcome(&instance, &with(&scene.paid(1), &json!({"livemode": true}))).await, "confirmed");
}

#[tokio::test]
async fn test_stack_ignores_live_events() {
    let (scene, queue, builder) = start().await;
    let instance = ready(builder.env("STRIPE_MODE", "test")).await;
    assert_eq!(outcome(&instance, &with(&scene.paid(1), &json!({"livemode": true}))).await, "ignored");
    assert_untouched(&scene, &queue).await;
    assert_eq!(outcome(&instance, &with(&scene.paid(1), &json!({"livemode": false}))).await, "confirmed");
}

/// All of Stripe's events have a mode. Each mode's endpoint has its own secret, so the secret shows the mode too.
#[tokio::test]
async fn event_without_a_mode_has_the_mode_of_its_secret() {
    let (scene, _queue, builder) = start().await;
    let instance = ready(builder).await;
    // A mode that is neither true nor false is unreadable.
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
async fn event_of_another_account_is_ignored() {
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
async fn stack_with_an_account_takes_only_its_events() {
    let (scene, queue, builder) = start().await;
    let instance = ready(builder.env("STRIPE_ACCOUNT", "acct_ours")).await;
    for members in [
        // The platform's own account.
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
    // An event of an organisation's endpoint.
    let charge = json!({"id": "ch_1", "object": "charge", "payment_intent": "pi_1", "amount": 5000,
        "amount_captured": 5000, "amount_refunded": 5000, "currency": "eur", "refunded": true});
    let refunded = with(&stripe_event("evt_r", "charge.refunded", &charge), &json!({"context": "acct_ours"}));
    assert_eq!(outcome(&instance, &refunded).await, "refunded");
}

/// An older version without this check kept such events. Operators cannot apply them.
#[tokio::test]
async fn ignored_event_cannot_be_replayed() {
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

/// Stripe's event destinations can be set to send thin events. They contain no object and cannot be applied, nor can
/// any other signed body that is not a snapshot event.
#[tokio::test]
async fn signed_body_that_is_not_a_snapshot_event_is_kept_as_unreadable() {
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
        // A complete event with another object type.
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
    // Two events in one body with a valid signature are unreadable too.
    let two = format!("{0}{0}", scene.paid(1));
    assert_eq!(call(&instance, &stripe_by(STRIPE_SECRET, &two)).await.body["outcome"], "kept");
    assert_eq!(scene.status().await, "PENDING");
}
