//! Parsing of Stripe's events.

use boxoffice_functions::webhooks::parse_stripe;
use boxoffice_shared::payments::{DisputeState, PaymentChange, PaymentEvent, PaymentId, Refund, RefundState};
use serde_json::{Value, json};

use super::{BOOKING, disputed, eur, one_refund, signed_at, succeeded, with};

fn refunded_part(minor: i64) -> PaymentChange {
    PaymentChange::Refunded(Refund::Part(eur(minor)))
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

fn dispute(status: &str) -> Value {
    json!({
        "id": "dp_1", "object": "dispute", "payment_intent": "pi_1", "charge": "ch_1", "amount": 5000,
        "currency": "eur", "status": status, "metadata": {},
    })
}

#[test]
fn stripe_events_map_to_changes() {
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
            succeeded(0),
        ),
        ("checkout.session.async_payment_succeeded", session(), succeeded(5000)),
        ("checkout.session.async_payment_failed", session(), PaymentChange::Failed),
        ("checkout.session.expired", with(session(), json!({"payment_status": "unpaid"})), PaymentChange::Cancelled),
        ("charge.refunded", charge(), PaymentChange::Refunded(Refund::Full)),
        ("charge.refunded", with(charge(), json!({"refunded": false, "amount_refunded": 700})), refunded_part(700)),
        ("payment_intent.processing", intent(), PaymentChange::Other),
        ("payment_intent.amount_capturable_updated", intent(), PaymentChange::Other),
        ("payment_intent.partially_funded", intent(), PaymentChange::Other),
        ("payment_intent.requires_action", intent(), PaymentChange::Other),
        ("charge.succeeded", charge(), PaymentChange::Other),
        ("charge.captured", charge(), PaymentChange::Other),
        ("charge.failed", charge(), PaymentChange::Other),
        ("charge.expired", charge(), PaymentChange::Other),
        ("charge.updated", charge(), PaymentChange::Other),
        ("radar.early_fraud_warning.created", with(charge(), json!({"id": "issfr_1"})), PaymentChange::Other),
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

/// Newer API versions send `refund.*`, older ones only `charge.refund.updated`, and some accounts send all of them.
#[test]
fn all_refund_event_types_describe_one_refund() {
    for event_type in ["refund.created", "refund.updated", "refund.failed", "charge.refund.updated"] {
        for (status, state) in [
            ("succeeded", RefundState::Succeeded),
            ("pending", RefundState::Pending),
            ("requires_action", RefundState::Pending),
            ("failed", RefundState::Failed),
            ("canceled", RefundState::Failed),
        ] {
            let event = stripe(event_type, &refund(status));
            assert_eq!(event.change, one_refund("re_1", state), "{event_type} {status}");
            assert_eq!(event.payment_id.unwrap().as_str(), "pi_1");
        }
        let silent = stripe(event_type, &with(refund(""), json!({"status": null})));
        assert_eq!(silent.change, one_refund("re_1", RefundState::Pending), "{event_type}");
    }
}

/// 120 euros authorised, 50 captured, 70 released: Stripe counts the 70 as refunded.
#[test]
fn only_captured_money_counts_as_refunded() {
    let of = |members: Value| {
        let part = json!({"amount": 12000, "amount_captured": 5000, "captured": true, "refunded": false});
        stripe("charge.refunded", &with(with(charge(), part), members)).change
    };
    assert_eq!(of(json!({"amount_refunded": 7000})), PaymentChange::Other);
    assert_eq!(of(json!({"amount_refunded": 6999})), PaymentChange::Other);
    assert_eq!(of(json!({"amount_refunded": 7001})), refunded_part(1));
    assert_eq!(of(json!({"amount_refunded": 9000})), refunded_part(2000));
    // The sum equals all that was received, but Stripe reports that the refund is not full.
    assert_eq!(of(json!({"amount_refunded": 12000})), refunded_part(5000));
    assert_eq!(of(json!({"amount_refunded": 12000, "refunded": true})), PaymentChange::Refunded(Refund::Full));
    // The full amount was captured.
    assert_eq!(of(json!({"amount": 5000, "amount_refunded": 5000})), refunded_part(5000));
    // 2019-12-03: the captured amount is not reported.
    assert_eq!(of(json!({"amount": 5000, "amount_captured": null, "amount_refunded": 700})), refunded_part(700));
    // A cancelled authorisation: nothing was received.
    for nothing in [json!({"captured": false}), json!({"amount_captured": 0})] {
        let given_up = with(nothing.clone(), json!({"amount_refunded": 12000, "refunded": true}));
        assert_eq!(of(given_up), PaymentChange::Other, "{nothing}");
        assert_eq!(of(with(nothing, json!({"amount_refunded": 12000}))), PaymentChange::Other);
    }
}

#[test]
fn all_dispute_event_types_describe_one_dispute() {
    let states = [
        ("created", DisputeState::Opened),
        ("updated", DisputeState::Opened),
        ("funds_withdrawn", DisputeState::FundsWithdrawn),
        ("funds_reinstated", DisputeState::FundsReinstated),
    ];
    for (event_type, state) in states {
        for status in ["warning_needs_response", "warning_under_review", "needs_response", "under_review"] {
            let event = stripe(&format!("charge.dispute.{event_type}"), &dispute(status));
            assert_eq!(event.change, disputed("dp_1", Some(eur(5000)), state), "{event_type} {status}");
            assert_eq!(event.payment_id.unwrap().as_str(), "pi_1");
        }
    }
    // A final status counts in every type of event.
    for event_type in ["created", "updated", "funds_withdrawn", "funds_reinstated", "closed"] {
        for (status, state) in [
            ("won", DisputeState::Won),
            ("lost", DisputeState::Lost),
            ("warning_closed", DisputeState::Closed),
            ("prevented", DisputeState::Closed),
            ("charge_refunded", DisputeState::Closed),
        ] {
            let event = stripe(&format!("charge.dispute.{event_type}"), &dispute(status));
            assert_eq!(event.change, disputed("dp_1", Some(eur(5000)), state), "{event_type} {status}");
        }
    }
    let silent = stripe("charge.dispute.created", &with(dispute("needs_response"), json!({"amount": null})));
    assert_eq!(silent.change, disputed("dp_1", None, DisputeState::Opened));
}

/// Charges from before payment intents, and from third-party terminals. No other event reports their money.
#[test]
fn charge_without_a_payment_intent_maps_like_an_intent() {
    let of = |event_type: &str, members: Value| {
        let event = stripe(event_type, &with(with(charge(), json!({"payment_intent": null})), members));
        assert_eq!(event.payment_id.unwrap().as_str(), "ch_1");
        event.change
    };
    assert_eq!(of("charge.succeeded", json!({"captured": true})), succeeded(5000));
    assert_eq!(of("charge.succeeded", json!({"captured": false})), PaymentChange::Other);
    assert_eq!(of("charge.captured", json!({"amount": 9000, "amount_captured": 5000})), succeeded(5000));
    assert_eq!(of("charge.failed", json!({})), PaymentChange::Failed);
    assert_eq!(of("charge.expired", json!({"captured": false})), PaymentChange::Cancelled);
}

/// Payments of another shop in the same account, or of staging, carry their own order numbers in place of our ids.
#[test]
fn foreign_reference_is_not_a_booking_id() {
    for name in ["order 7", "1234", "42", "42-", "019a5b7e-8f00-7abc-8def-0123456789ab", "", "\u{202e}", "staging-42-1"]
    {
        let paid = with(intent(), json!({"metadata": {"booking_id": name}}));
        let event = stripe("payment_intent.succeeded", &paid);
        assert_eq!((event.booking_id, event.change), (None, succeeded(5000)), "{name:?}");
        let event = stripe("checkout.session.completed", &with(session(), json!({"client_reference_id": name})));
        assert_eq!((event.booking_id, event.change), (None, succeeded(5000)), "{name:?}");
    }
}

#[test]
fn setup_session_is_not_a_payment() {
    let setup = json!({"mode": "setup", "payment_status": "no_payment_required", "amount_total": null, "currency": null,
        "payment_intent": null});
    assert_eq!(stripe("checkout.session.completed", &with(session(), setup)).change, PaymentChange::Other);
}

#[test]
fn booking_id_comes_from_metadata_or_the_client_reference() {
    let booking = |object: &Value| stripe("payment_intent.succeeded", object).booking_id.map(|id| id.to_string());
    assert_eq!(booking(&intent()).as_deref(), Some(BOOKING));
    assert_eq!(booking(&session()).as_deref(), Some(BOOKING));
    // The first of the two that is a valid id.
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
fn payment_id_is_the_payment_intent() {
    let payment = |event_type, object: &Value| stripe(event_type, object).payment_id.map(String::from);
    let expanded = with(charge(), json!({"payment_intent": {"id": "pi_7", "object": "payment_intent"}}));
    assert_eq!(payment("charge.refunded", &expanded).as_deref(), Some("pi_7"));
    // Without a payment intent, the closest id is used.
    let none = json!({"payment_intent": null});
    assert_eq!(payment("charge.refunded", &with(charge(), none.clone())).as_deref(), Some("ch_1"));
    assert_eq!(payment("refund.created", &with(refund("succeeded"), none.clone())).as_deref(), Some("ch_1"));
    assert_eq!(payment("charge.dispute.created", &with(dispute("lost"), none.clone())).as_deref(), Some("ch_1"));
    assert_eq!(payment("checkout.session.completed", &with(session(), none.clone())).as_deref(), Some("cs_1"));
    let free = json!({"payment_intent": null, "payment_status": "no_payment_required", "amount_total": 0});
    assert_eq!(payment("checkout.session.completed", &with(session(), free)).as_deref(), Some("cs_1"));
    // Expanded objects instead of ids.
    for object in [refund("failed"), dispute("lost")] {
        let charge = json!({"payment_intent": null, "charge": {"id": "ch_7", "payment_intent": {"id": "pi_7"}}});
        assert_eq!(payment("refund.updated", &with(object.clone(), charge)).as_deref(), Some("pi_7"));
        let charge = json!({"payment_intent": null, "charge": {"id": "ch_7", "payment_intent": null}});
        assert_eq!(payment("refund.updated", &with(object, charge)).as_deref(), Some("ch_7"));
    }
    let expired = with(session(), json!({"payment_intent": null, "payment_status": "unpaid"}));
    assert_eq!(payment("checkout.session.expired", &expired), None);
}

#[test]
fn malformed_stripe_objects_are_unreadable() {
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
        ("charge.refunded", with(charge(), json!({"refunded": false, "amount_refunded": "700"}))),
        ("charge.refunded", with(charge(), json!({"refunded": false, "currency": null}))),
        ("charge.refunded", with(charge(), json!({"refunded": false, "amount": 10, "amount_captured": 11}))),
        ("charge.refunded", with(charge(), json!({"refunded": "true"}))),
        ("refund.created", refund("new")),
        ("charge.refund.updated", refund("new")),
        ("charge.refund.updated", with(refund("failed"), json!({"id": null}))),
        ("charge.refund.updated", with(refund("failed"), json!({"amount": null}))),
        ("charge.dispute.closed", dispute("needs_response")),
        ("charge.dispute.closed", dispute("a word of tomorrow")),
        ("charge.dispute.created", with(dispute("lost"), json!({"id": null}))),
        ("charge.dispute.created", with(dispute("lost"), json!({"status": null}))),
        ("charge.dispute.created", with(dispute("lost"), json!({"amount": -5000}))),
        ("charge.dispute.created", with(dispute("lost"), json!({"payment_intent": null, "charge": null}))),
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
fn body_without_an_id_gets_a_stable_id() {
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
fn invalid_event_time_falls_back_to_the_signature_time() {
    for created in [json!(-1), json!(i64::MAX), json!("x"), json!(null), json!(1.5)] {
        let body = json!({"id": "evt_1", "type": "x", "created": created}).to_string();
        assert_eq!(parse_stripe(body.as_bytes(), signed_at()).occurred_at, signed_at(), "{created}");
    }
}

#[test]
fn thin_stripe_event_is_unreadable_and_keeps_its_time() {
    let thin = json!({
        "id": "evt_1", "object": "v2.core.event", "type": "v1.payment_intent.succeeded", "livemode": true,
        "created": "2026-07-01T14:00:01.5+02:00", "related_object": {"id": "pi_1", "type": "payment_intent"},
    });
    let event = parse_stripe(thin.to_string().as_bytes(), signed_at());
    assert_eq!((event.event_id.as_str(), event.change), ("evt_1", PaymentChange::Unreadable));
    assert_eq!(event.occurred_at, "2026-07-01T12:00:01.5Z".parse().unwrap());
}
