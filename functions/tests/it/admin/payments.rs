//! Hold extension, prices, and the operators' view of payments. Runs the real binaries in a Lambda runtime.

use crate::common::{
    Answer, bookings_of, call, operator, ready,
    webhook::{Scene, stripe},
};
use std::time::Duration;

use boxoffice_shared::{
    holders::HolderLimits,
    money::Money,
    payments::{self, DisputeState, PaymentChange, PaymentEvent, Provider, Recorded, RefundState},
};
use boxoffice_testkit::{events::api_event, lambda::Instance, postgres::Database, sqs::FixedDelayQueue};
use jiff::Timestamp;
use serde_json::{Value, json};

const ADMIN: &str = env!("CARGO_BIN_EXE_admin");

async fn admin(database: &Database) -> Instance {
    ready(Instance::builder(ADMIN).env("DATABASE_URL", database.url())).await
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
async fn hold_can_be_extended_up_to_the_maximum() {
    let scene = Scene::new().await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let builder = bookings_of(&scene.database.url());
    let instance = ready(builder.env("HOLD_SECONDS", "300").env("MAX_HOLD_SECONDS", "400")).await;
    let confirm = ready(scene.confirm(&queue.endpoint(), &queue.queue_url())).await;
    let id = scene.booking.to_string();
    let first = extend(&instance, &id).await;
    assert_eq!((first.status, &first.body["status"]), (200, &json!("PENDING")));
    assert!((300..=305).contains(&seconds_between(&first.body, "created_at", "expires_at")), "{}", first.body);
    // After three minutes, 100 of the 400 seconds are left to extend by.
    let aged =
        "UPDATE bookings SET created_at = created_at - interval '3 min', expires_at = expires_at - interval '3 min'";
    scene.client.execute(aged, &[]).await.unwrap();
    for _ in 0..2 {
        let again = extend(&instance, &id).await;
        assert_eq!((again.status, seconds_between(&again.body, "created_at", "expires_at")), (200, 400));
    }
    assert_eq!(call(&confirm, &stripe(&scene.paid(1))).await.body["outcome"], "confirmed");
    let settled = extend(&instance, &id).await;
    assert_eq!((settled.status, settled.problem()), (409, "booking-confirmed"));
    for unknown in ["1-019a5b7e-8f00-7abc-8def-0123456789ab", "x"] {
        let answer = extend(&instance, unknown).await;
        assert_eq!((answer.status, answer.problem()), (404, "booking-not-found"));
    }
}

#[tokio::test]
async fn operator_lists_due_refunds_and_settles_them() {
    let scene = Scene::new().await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let instance = ready(scene.confirm(&queue.endpoint(), &queue.queue_url())).await;
    for number in 1..=3 {
        call(&instance, &stripe(&scene.paid(number))).await;
    }
    let admin = admin(&scene.database).await;
    let list = async |query: &[(&str, &str)]| {
        call(&admin, &operator(api_event("GET", "/admin/payments", &[], query, &[], None))).await
    };
    let due = list(&[("state", "refund_due"), ("limit", "1")]).await;
    assert_eq!(due.status, 200, "{}", due.body);
    let payment = &due.body["payments"][0];
    assert_eq!((&payment["payment_id"], &payment["reason"]), (&json!("pi_2"), &json!("already_paid")));
    assert_eq!((&payment["amount_minor"], &payment["currency"]), (&json!(5000), &json!("EUR")));
    assert_eq!(payment["booking_id"], scene.booking.to_string());
    // The default state is refund_due. Read the next page.
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

/// The rows are what an older version stored for events that it could not read.
#[tokio::test]
async fn operator_lists_unreadable_events_and_replays_them() {
    let scene = Scene::new().await;
    let admin = admin(&scene.database).await;
    let keep = async |provider: &str, id: &str, payload: &str| {
        let sql = "INSERT INTO payment_events (provider, event_id, type, occurred_at, change, outcome, payload)
                   VALUES ($1, $2, '', now() - interval '1 day', 'unreadable', 'kept', $3)";
        scene.client.execute(sql, &[&provider, &id, &payload]).await.unwrap();
    };
    keep("stripe", "evt_1", &scene.paid(1)).await;
    let paid_again = json!({"type": "payment.succeeded", "timestamp": "2026-07-01T12:00:00Z", "data":
        {"booking_id": scene.booking.to_string(), "payment_id": "pay_1", "amount": 5000, "currency": "EUR"}});
    keep("standard", "msg_1", &paid_again.to_string()).await;
    keep("stripe", "evt_2", "not json").await;
    keep("stripe", "evt_3", &scene.paid(3)[..60].repeat(1_093)[..65_536]).await;

    let list = async |query: &[(&str, &str)]| {
        call(&admin, &operator(api_event("GET", "/admin/payments/events", &[], query, &[], None))).await
    };
    let ids = |page: &Answer| -> Vec<String> {
        let events = page.body["events"].as_array().unwrap().iter();
        events.map(|event| event["event_id"].as_str().unwrap().to_owned()).collect()
    };
    let first = list(&[("change", "unreadable"), ("limit", "3")]).await;
    assert_eq!((first.status, ids(&first)), (200, vec!["evt_1".into(), "msg_1".into(), "evt_2".into()]));
    assert!(first.body["events"][0].get("payload").is_none(), "the payload may contain personal data");
    let next = list(&[("limit", "3"), ("cursor", first.body["next_cursor"].as_str().unwrap())]).await;
    assert_eq!((ids(&next), &next.body["next_cursor"]), (vec!["evt_3".into()], &Value::Null));
    for bad in [("change", "other"), ("limit", "0"), ("cursor", "x")] {
        let answer = list(&[bad]).await;
        assert_eq!((answer.status, answer.problem()), (400, "malformed-request"), "{bad:?}");
    }

    let replay = async |provider: &str, event_id: &str| {
        let path = [("provider", provider), ("event_id", event_id)];
        let resource = "/admin/payments/events/{provider}/{event_id}/replay";
        call(&admin, &operator(api_event("POST", resource, &path, &[], &[], None))).await
    };
    for _ in 0..2 {
        let replayed = replay("stripe", "evt_1").await;
        assert_eq!((replayed.status, &replayed.body["outcome"]), (200, &json!("confirmed")), "{}", replayed.body);
        assert_eq!((&replayed.body["change"], &replayed.body["payment_id"]), (&json!("succeeded"), &json!("pi_1")));
    }
    assert_eq!(scene.status().await, "CONFIRMED");
    assert!(admin.logged(r#""Confirmed":1"#).await);
    assert_eq!(admin.stdout().matches(r#""Confirmed":1"#).count(), 1);
    let second = replay("standard", "msg_1").await;
    assert_eq!((&second.body["outcome"], &second.body["reason"]), (&json!("refund_due"), &json!("already_paid")));
    for (id, why) in [("evt_2", "A later version may"), ("evt_3", "only its first 64 KiB")] {
        let answer = replay("stripe", id).await;
        assert_eq!((answer.status, answer.problem()), (409, "event-unreadable"));
        assert!(answer.body["detail"].as_str().unwrap().contains(why), "{}", answer.body);
    }
    for (provider, event_id) in [("stripe", "evt_9"), ("standard", "evt_1"), ("paypal", "evt_1"), ("stripe", "a b")] {
        let answer = replay(provider, event_id).await;
        assert_eq!((answer.status, answer.problem()), (404, "event-not-found"), "{provider} {event_id}");
    }
    assert_eq!(ids(&list(&[]).await), ["evt_2", "evt_3"]);
    let confirm = ready(scene.confirm("http://127.0.0.1:9", "http://127.0.0.1:9/queue")).await;
    assert_eq!(call(&confirm, &stripe(&scene.paid(1))).await.body["outcome"], "repeated");
    assert_eq!(scene.payments().await, ["pay_1 refund_due already_paid", "pi_1 confirmed"]);
}

#[tokio::test]
async fn show_can_be_created_with_or_without_a_price() {
    let database = Database::create().await;
    let admin = admin(&database).await;
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
    let nothing = create(json!({"price_minor": 0, "currency": "EUR"})).await;
    assert_eq!((nothing.status, &nothing.body["price_minor"]), (201, &json!(0)));
    for bad in [json!({"price_minor": 2500}), json!({"currency": "EUR"}), json!({"price_minor": -1, "currency": "EUR"})]
    {
        let answer = create(bad.clone()).await;
        assert_eq!((answer.status, answer.problem()), (422, "validation-failed"), "{bad}");
    }
}

/// Records parsed changes directly, as the worker does with queued events. The subject of the test is the API's
/// answers.
#[tokio::test]
async fn operator_settles_failed_refunds_and_decides_lost_disputes() {
    let scene = Scene::new().await;
    let admin = admin(&scene.database).await;
    let record = async |id: &str, change: PaymentChange| {
        let event = PaymentEvent {
            provider: Provider::Stripe,
            event_id: id.try_into().unwrap(),
            event_type: "test".into(),
            payment_id: Some("pi_1".try_into().unwrap()),
            booking_id: Some(scene.booking),
            occurred_at: Timestamp::now(),
            change,
            payload: "{}".into(),
        };
        payments::record(&scene.db, &event, &HolderLimits::DEFAULT).await.unwrap()
    };
    let eur = |minor: i64| Money::new(minor, "EUR").unwrap();
    let refund = |id: &str, minor: i64, state: RefundState| PaymentChange::Refund {
        id: id.try_into().unwrap(),
        amount: eur(minor),
        state,
    };
    assert_eq!(record("evt_1", PaymentChange::Succeeded(eur(5_000))).await, Recorded::Confirmed);
    record("evt_2", refund("re_1", 2_000, RefundState::Failed)).await;
    let list = async |state: &str| {
        let query = [("state", state)];
        let answer = call(&admin, &operator(api_event("GET", "/admin/payments", &[], &query, &[], None))).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body["payments"].clone()
    };
    let due = list("refund_due").await;
    assert_eq!((&due[0]["state"], &due[0]["refund_due_minor"]), (&json!("confirmed"), &json!(2_000)));
    assert_eq!(
        due[0]["refunds"],
        json!([{"refund_id": "re_1", "amount_minor": 2_000, "currency": "EUR", "state": "failed"}])
    );
    let post = async |what: &str, body: Option<&str>| {
        let path = [("provider", "stripe"), ("payment_id", "pi_1")];
        let resource = format!("/admin/payments/{{provider}}/{{payment_id}}/{what}");
        let headers = if body.is_some() { &[("Content-Type", "application/json")][..] } else { &[] };
        call(&admin, &operator(api_event("POST", &resource, &path, &[], headers, body))).await
    };
    for _ in 0..2 {
        let settled = post("settle", None).await;
        assert_eq!((settled.status, &settled.body["refund_due_minor"]), (200, &json!(0)), "{}", settled.body);
        assert_eq!((&settled.body["state"], &settled.body["refunded_minor"]), (&json!("confirmed"), &json!(2_000)));
    }
    assert_eq!(list("refund_due").await, json!([]));

    let keep = Some(r#"{"decision": "keep"}"#);
    let early = post("dispute", keep).await;
    assert_eq!((early.status, early.problem()), (409, "dispute-not-lost"));
    for state in [DisputeState::Opened, DisputeState::Lost] {
        let id = format!("evt_{}", state.as_str());
        record(&id, PaymentChange::Disputed { id: "dp_1".try_into().unwrap(), amount: Some(eur(3_000)), state }).await;
        assert_eq!(list("disputed").await[0]["state"], "disputed");
    }
    assert_eq!(scene.status().await, "CONFIRMED");
    for bad in ["{}", r#"{"decision": "drop"}"#, r#"{"decision": 1}"#, r#"{"decision": "keep", "why": ""}"#] {
        let answer = post("dispute", Some(bad)).await;
        assert_eq!((answer.status, answer.problem()), (422, "validation-failed"), "{bad}");
    }
    let cancel = Some(r#"{"decision": "cancel"}"#);
    for _ in 0..2 {
        let decided = post("dispute", cancel).await;
        assert_eq!((decided.status, &decided.body["state"]), (200, &json!("refunded")), "{}", decided.body);
        assert_eq!(
            decided.body["disputes"],
            json!([{"dispute_id": "dp_1", "amount_minor": 3_000, "currency": "EUR", "state": "lost", "decision": "cancel"}])
        );
    }
    assert_eq!(post("dispute", keep).await.problem(), "dispute-not-lost");
    assert_eq!(scene.status().await, "FAILED refunded");
    assert_eq!(list("disputed").await, json!([]));
}
