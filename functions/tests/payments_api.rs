//! Extending a hold, prices, and what operators see of payments: the real binaries under a Lambda runtime.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use std::time::Duration;

use boxoffice_testkit::{events::api_event, lambda::Instance, postgres::Database, sqs::FixedDelayQueue};
use common::{
    Answer, call, operator, ready,
    webhook::{Scene, stripe},
};
use jiff::Timestamp;
use serde_json::{Value, json};

const MANAGE_SHOWS: &str = env!("CARGO_BIN_EXE_manage-shows");

async fn manage_shows(database: &Database) -> Instance {
    ready(Instance::builder(MANAGE_SHOWS).env("DATABASE_URL", database.url())).await
}

async fn extend(instance: &Instance, booking: &str) -> Answer {
    call(instance, &api_event("POST", "/bookings/{booking_id}/extend", &[("booking_id", booking)], &[], &[], None))
        .await
}

fn seconds_between(booking: &Value, from: &str, to: &str) -> i64 {
    let time = |name: &str| booking[name].as_str().unwrap().parse::<Timestamp>().unwrap();
    time(to).duration_since(time(from)).as_secs()
}

#[tokio::test]
async fn a_hold_is_extended_up_to_its_ceiling() {
    let scene = Scene::new().await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let builder = scene.confirm(&queue.endpoint(), &queue.queue_url());
    let instance = ready(builder.env("HOLD_SECONDS", "300").env("MAX_HOLD_SECONDS", "400")).await;
    let id = scene.booking.to_string();
    let first = extend(&instance, &id).await;
    assert_eq!((first.status, &first.body["status"]), (200, &json!("PENDING")));
    assert!((300..=305).contains(&seconds_between(&first.body, "created_at", "expires_at")), "{}", first.body);
    // Three minutes later it may have 100 seconds more.
    let aged =
        "UPDATE bookings SET created_at = created_at - interval '3 min', expires_at = expires_at - interval '3 min'";
    scene.client.execute(aged, &[]).await.unwrap();
    for _ in 0..2 {
        let again = extend(&instance, &id).await;
        assert_eq!((again.status, seconds_between(&again.body, "created_at", "expires_at")), (200, 400));
    }
    assert_eq!(call(&instance, &stripe(&scene.paid(1))).await.body["outcome"], "confirmed");
    let settled = extend(&instance, &id).await;
    assert_eq!((settled.status, settled.problem()), (409, "booking-confirmed"));
    for unknown in ["1-019a5b7e-8f00-7abc-8def-0123456789ab", "x"] {
        let answer = extend(&instance, unknown).await;
        assert_eq!((answer.status, answer.problem()), (404, "booking-not-found"));
    }
}

#[tokio::test]
async fn an_operator_sees_what_is_due_and_settles_it() {
    let scene = Scene::new().await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let instance = ready(scene.confirm(&queue.endpoint(), &queue.queue_url())).await;
    for number in 1..=3 {
        call(&instance, &stripe(&scene.paid(number))).await;
    }
    let admin = manage_shows(&scene.database).await;
    let list = async |query: &[(&str, &str)]| {
        call(&admin, &operator(api_event("GET", "/admin/payments", &[], query, &[], None))).await
    };
    let due = list(&[("state", "refund_due"), ("limit", "1")]).await;
    assert_eq!(due.status, 200, "{}", due.body);
    let payment = &due.body["payments"][0];
    assert_eq!((&payment["payment_id"], &payment["reason"]), (&json!("pi_2"), &json!("already_paid")));
    assert_eq!((&payment["amount_minor"], &payment["currency"]), (&json!(5000), &json!("EUR")));
    assert_eq!(payment["booking_id"], scene.booking.to_string());
    // Without a state, what is due; and the next page.
    let next = list(&[("limit", "1"), ("cursor", due.body["next_cursor"].as_str().unwrap())]).await;
    assert_eq!((&next.body["payments"][0]["payment_id"], &next.body["next_cursor"]), (&json!("pi_3"), &Value::Null));
    assert_eq!(list(&[("state", "confirmed")]).await.body["payments"].as_array().unwrap().len(), 1);
    for bad in [("state", "paid"), ("limit", "0"), ("cursor", "x")] {
        let answer = list(&[bad]).await;
        assert_eq!((answer.status, answer.problem()), (400, "malformed-request"), "{bad:?}");
    }

    let settle = async |provider: &str, payment_id: &str| {
        let path = [("provider", provider), ("payment_id", payment_id)];
        let resource = "/admin/payments/{provider}/{payment_id}/settle";
        call(&admin, &operator(api_event("POST", resource, &path, &[], &[], None))).await
    };
    for _ in 0..2 {
        let settled = settle("stripe", "pi_2").await;
        assert_eq!((settled.status, &settled.body["state"]), (200, &json!("refunded")));
    }
    let confirmed = settle("stripe", "pi_1").await;
    assert_eq!((confirmed.status, confirmed.problem()), (409, "payment-not-due"));
    for (provider, payment_id) in [("stripe", "pi_9"), ("standard", "pi_2"), ("paypal", "pi_2"), ("stripe", "a b")] {
        let answer = settle(provider, payment_id).await;
        assert_eq!((answer.status, answer.problem()), (404, "payment-not-found"), "{provider} {payment_id}");
    }
    assert_eq!(list(&[]).await.body["payments"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_show_is_made_with_a_price_or_without() {
    let database = Database::create().await;
    let admin = manage_shows(&database).await;
    let create = async |members: Value| {
        let mut body = json!({"name": "Hamlet", "start_time": "2126-01-01T20:00:00Z", "total_seats": 10});
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let headers = [("Content-Type", "application/json")];
        call(&admin, &operator(api_event("POST", "/admin/shows", &[], &[], &headers, Some(&body.to_string())))).await
    };
    let priced = create(json!({"price_minor": 2500, "currency": "eur"})).await;
    assert_eq!(
        (priced.status, &priced.body["price_minor"], &priced.body["currency"]),
        (201, &json!(2500), &json!("EUR"))
    );
    let free = create(json!({})).await;
    assert_eq!((free.status, &free.body["price_minor"], &free.body["currency"]), (201, &Value::Null, &Value::Null));
    for bad in [json!({"price_minor": 2500}), json!({"currency": "EUR"}), json!({"price_minor": 0, "currency": "EUR"})]
    {
        let answer = create(bad.clone()).await;
        assert_eq!((answer.status, answer.problem()), (422, "validation-failed"), "{bad}");
    }
}
