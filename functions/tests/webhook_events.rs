//! What the events of payment providers say.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use boxoffice_functions::webhooks::{parse_standard, parse_stripe};
use boxoffice_shared::model::{Money, PaymentChange, PaymentEvent, PaymentId, Refund};
use jiff::Timestamp;
use serde_json::{Value, json};

const BOOKING: &str = "42-019a5b7e-8f00-7abc-8def-0123456789ab";

fn signed_at() -> Timestamp {
    "2026-07-01T12:00:00Z".parse().unwrap()
}

fn eur(minor: i64) -> Money {
    Money::new(minor, "EUR").unwrap()
}

fn succeeded(minor: i64) -> PaymentChange {
    PaymentChange::Succeeded(eur(minor))
}

fn refunded(minor: i64) -> PaymentChange {
    PaymentChange::Refunded(Refund::Amount(eur(minor)))
}

/// Stripe's event of this type about this object.
fn stripe(event_type: &str, object: &Value) -> PaymentEvent {
    let body = json!({
        "id": "evt_1", "object": "event", "created": 1_782_907_000, "type": event_type, "livemode": false,
        "data": { "object": object },
    });
    parse_stripe(body.to_string().as_bytes(), signed_at())
}

fn intent() -> Value {
    json!({
        "id": "pi_1", "object": "payment_intent", "amount": 5000, "amount_received": 5000, "currency": "eur",
        "status": "succeeded", "metadata": { "booking_id": BOOKING },
    })
}

fn session() -> Value {
    json!({
        "id": "cs_1", "object": "checkout.session", "payment_intent": "pi_1", "payment_status": "paid",
        "amount_total": 5000, "currency": "eur", "client_reference_id": BOOKING, "metadata": {},
    })
}

fn charge() -> Value {
    json!({
        "id": "ch_1", "object": "charge", "payment_intent": "pi_1", "amount": 5000, "amount_refunded": 5000,
        "currency": "eur", "refunded": true, "metadata": { "booking_id": BOOKING },
    })
}

fn refund(status: &str) -> Value {
    json!({
        "id": "re_1", "object": "refund", "payment_intent": "pi_1", "charge": "ch_1", "amount": 2000,
        "currency": "eur", "status": status, "metadata": {},
    })
}

/// The object with other members.
fn with(mut object: Value, members: Value) -> Value {
    let Value::Object(members) = members else { panic!("members are an object") };
    object.as_object_mut().unwrap().extend(members);
    object
}

#[test]
fn each_of_stripes_events_says_what_it_says() {
    let cases = [
        ("payment_intent.succeeded", intent(), succeeded(5000)),
        ("payment_intent.payment_failed", intent(), PaymentChange::Failed),
        ("payment_intent.canceled", intent(), PaymentChange::Cancelled),
        ("payment_intent.created", intent(), PaymentChange::Other),
        ("checkout.session.completed", session(), succeeded(5000)),
        ("checkout.session.completed", with(session(), json!({"payment_status": "unpaid"})), PaymentChange::Other),
        (
            "checkout.session.completed",
            with(session(), json!({"payment_status": "no_payment_required", "amount_total": 0})),
            PaymentChange::Other,
        ),
        ("checkout.session.async_payment_succeeded", session(), succeeded(5000)),
        ("checkout.session.async_payment_failed", session(), PaymentChange::Failed),
        ("checkout.session.expired", with(session(), json!({"payment_status": "unpaid"})), PaymentChange::Cancelled),
        ("charge.refunded", charge(), PaymentChange::Refunded(Refund::Full)),
        ("charge.refunded", with(charge(), json!({"refunded": false, "amount_refunded": 700})), refunded(700)),
        ("refund.created", refund("succeeded"), refunded(2000)),
        ("refund.created", refund("pending"), refunded(2000)),
        ("refund.updated", refund("requires_action"), refunded(2000)),
        ("refund.updated", refund("failed"), PaymentChange::RefundFailed),
        ("refund.updated", refund("canceled"), PaymentChange::RefundFailed),
        ("refund.failed", refund("failed"), PaymentChange::RefundFailed),
        ("customer.created", json!({"id": "cus_1", "object": "customer"}), PaymentChange::Other),
    ];
    for (event_type, object, change) in cases {
        let event = stripe(event_type, &object);
        assert_eq!(event.change, change, "{event_type} {object}");
        assert_eq!((event.event_id.as_str(), event.event_type.as_str()), ("evt_1", event_type));
        assert_eq!(event.occurred_at.as_second(), 1_782_907_000);
        let payment_id = event.payment_id.as_ref().map(PaymentId::as_str);
        assert_eq!(payment_id, (event_type != "customer.created").then_some("pi_1"), "{event_type}");
    }
}

#[test]
fn stripe_names_the_booking_in_metadata_or_in_the_reference() {
    let booking = |object: &Value| stripe("payment_intent.succeeded", object).booking_id.map(|id| id.to_string());
    assert_eq!(booking(&intent()).as_deref(), Some(BOOKING));
    assert_eq!(booking(&session()).as_deref(), Some(BOOKING));
    // The first of the two that can be an id.
    let other = "7-019a5b7e-8f00-7abc-8def-0123456789ab";
    let both = with(session(), json!({"metadata": {"booking_id": other}}));
    assert_eq!(booking(&both).as_deref(), Some(other));
    let wrong = with(session(), json!({"metadata": {"booking_id": "order 7"}}));
    assert_eq!(booking(&wrong).as_deref(), Some(BOOKING));
    for metadata in [json!({}), json!(null), json!({"booking_id": 7}), json!({"booking_id": "42"}), json!("x")] {
        assert_eq!(booking(&with(intent(), json!({ "metadata": metadata }))), None, "{metadata}");
    }
}

#[test]
fn stripes_payment_is_its_payment_intent() {
    let payment = |event_type, object: &Value| stripe(event_type, object).payment_id.map(String::from);
    let expanded = with(charge(), json!({"payment_intent": {"id": "pi_7", "object": "payment_intent"}}));
    assert_eq!(payment("charge.refunded", &expanded).as_deref(), Some("pi_7"));
    // Where there is none, what comes closest to one.
    let none = json!({"payment_intent": null});
    assert_eq!(payment("charge.refunded", &with(charge(), none.clone())).as_deref(), Some("ch_1"));
    assert_eq!(payment("refund.created", &with(refund("succeeded"), none.clone())).as_deref(), Some("ch_1"));
    assert_eq!(payment("checkout.session.completed", &with(session(), none.clone())).as_deref(), Some("cs_1"));
    let expired = with(session(), json!({"payment_intent": null, "payment_status": "unpaid"}));
    assert_eq!(payment("checkout.session.expired", &expired), None);
}

#[test]
fn what_stripe_says_in_another_way_than_we_know_is_unreadable_and_kept() {
    let cases = [
        ("payment_intent.succeeded", with(intent(), json!({"amount_received": null}))),
        ("payment_intent.succeeded", with(intent(), json!({"amount_received": "5000"}))),
        ("payment_intent.succeeded", with(intent(), json!({"amount_received": 50.5}))),
        ("payment_intent.succeeded", with(intent(), json!({"amount_received": -1}))),
        ("payment_intent.succeeded", with(intent(), json!({"currency": "euro"}))),
        ("payment_intent.succeeded", with(intent(), json!({"id": 7}))),
        ("payment_intent.succeeded", with(intent(), json!({"id": "a b"}))),
        ("checkout.session.completed", with(session(), json!({"payment_status": "perhaps"}))),
        ("checkout.session.completed", with(session(), json!({"amount_total": null}))),
        ("charge.refunded", with(charge(), json!({"refunded": null}))),
        ("refund.created", refund("new")),
        ("refund.created", with(refund("succeeded"), json!({"payment_intent": null, "charge": null}))),
        ("payment_intent.succeeded", json!(null)),
        ("charge.refunded", json!([])),
    ];
    for (event_type, object) in cases {
        let event = stripe(event_type, &object);
        assert_eq!(event.change, PaymentChange::Unreadable, "{event_type} {object}");
        assert_eq!((event.event_id.as_str(), event.event_type.as_str()), ("evt_1", event_type));
    }
}

#[test]
fn a_body_without_an_id_has_the_same_id_each_time() {
    let deep = "[".repeat(10_000);
    let bodies: [&[u8]; 9] =
        [b"", b"null", b"7", b"[]", b"{}", b"not json", b"\xff\xfe\0", deep.as_bytes(), br#"{"id": 7, "type": "x"}"#];
    let mut ids = std::collections::BTreeSet::new();
    for body in bodies {
        let event = parse_stripe(body, signed_at());
        assert_eq!(event, parse_stripe(body, signed_at()));
        assert_eq!((event.change, event.occurred_at), (PaymentChange::Unreadable, signed_at()));
        assert!(ids.insert(event.event_id), "{body:?}");
    }
}

#[test]
fn a_time_that_cannot_be_is_that_of_the_signature() {
    for created in [json!(-1), json!(i64::MAX), json!("x"), json!(null), json!(1.5)] {
        let body = json!({"id": "evt_1", "type": "x", "created": created}).to_string();
        assert_eq!(parse_stripe(body.as_bytes(), signed_at()).occurred_at, signed_at(), "{created}");
        let body = json!({"type": "x", "timestamp": created}).to_string();
        assert_eq!(parse_standard("msg_1", body.as_bytes(), signed_at()).occurred_at, signed_at(), "{created}");
    }
}

/// The event of a provider that follows Standard Webhooks.
fn standard(event_type: &str, members: Value) -> PaymentEvent {
    let data = json!({"booking_id": BOOKING, "payment_id": "pay_1", "amount": 5000, "currency": "EUR"});
    let body = json!({"type": event_type, "timestamp": "2026-07-01T14:00:01+02:00", "data": with(data, members)});
    parse_standard("msg_1", body.to_string().as_bytes(), signed_at())
}

#[test]
fn each_standard_event_says_what_it_says() {
    let none = || json!({});
    let cases = [
        ("payment.succeeded", none(), succeeded(5000)),
        ("payment.failed", none(), PaymentChange::Failed),
        ("payment.cancelled", none(), PaymentChange::Cancelled),
        ("payment.canceled", none(), PaymentChange::Cancelled),
        ("payment.refunded", none(), refunded(5000)),
        ("payment.refunded", json!({"amount": null}), PaymentChange::Refunded(Refund::Full)),
        ("refund.failed", none(), PaymentChange::RefundFailed),
        ("payment.created", none(), PaymentChange::Other),
        ("payment.succeeded", json!({"amount": "5000"}), PaymentChange::Unreadable),
        ("payment.succeeded", json!({"amount": null}), PaymentChange::Unreadable),
        ("payment.succeeded", json!({"currency": 7}), PaymentChange::Unreadable),
        ("payment.succeeded", json!({"payment_id": null}), PaymentChange::Unreadable),
        ("payment.refunded", json!({"currency": null}), PaymentChange::Unreadable),
    ];
    for (event_type, members, change) in cases {
        let event = standard(event_type, members.clone());
        assert_eq!(event.change, change, "{event_type} {members}");
        assert_eq!((event.event_id.as_str(), event.event_type.as_str()), ("msg_1", event_type));
        assert_eq!(event.booking_id.unwrap().to_string(), BOOKING);
        assert_eq!(event.occurred_at, "2026-07-01T12:00:01Z".parse().unwrap());
    }
    assert_eq!(parse_standard("msg_1", br#"{"test": 2432232314}"#, signed_at()).change, PaymentChange::Unreadable);
    // An id that cannot be kept as it is stands for itself all the same.
    let long = "m".repeat(256);
    let id = parse_standard(&long, b"{}", signed_at()).event_id;
    assert_eq!(id, parse_standard(&long, b"{ }", signed_at()).event_id);
    assert!(id.as_str().starts_with("sha256-"));
}
