//! What the events of payment providers say.

use boxoffice_functions::webhooks::{parse_standard, parse_stripe};
use boxoffice_shared::{
    money::Money,
    payments::{DisputeState, PaymentChange, PaymentEvent, PaymentId, Refund, RefundState},
};
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

fn refunded_part(minor: i64) -> PaymentChange {
    PaymentChange::Refunded(Refund::Part(eur(minor)))
}

/// One refund of 20 euros.
fn one_refund(id: &str, state: RefundState) -> PaymentChange {
    PaymentChange::Refund { id: id.try_into().unwrap(), amount: eur(2000), state }
}

/// One dispute.
fn disputed(id: &str, amount: Option<Money>, state: DisputeState) -> PaymentChange {
    PaymentChange::Disputed { id: id.try_into().unwrap(), amount, state }
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

/// Newer API versions send `refund.*`, older ones `charge.refund.updated` only; some accounts send all of them.
#[test]
fn each_word_for_a_refund_is_of_the_one_refund() {
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

/// Authorised 120 euros, captured 50, and 70 released: Stripe counts the 70 as refunded.
#[test]
fn only_money_that_was_received_can_go_back() {
    let of = |members: Value| {
        let part = json!({"amount": 12000, "amount_captured": 5000, "captured": true, "refunded": false});
        stripe("charge.refunded", &with(with(charge(), part), members)).change
    };
    assert_eq!(of(json!({"amount_refunded": 7000})), PaymentChange::Other);
    assert_eq!(of(json!({"amount_refunded": 6999})), PaymentChange::Other);
    assert_eq!(of(json!({"amount_refunded": 7001})), refunded_part(1));
    assert_eq!(of(json!({"amount_refunded": 9000})), refunded_part(2000));
    // Even where it adds up to all that was received, Stripe's word is that it is not all.
    assert_eq!(of(json!({"amount_refunded": 12000})), refunded_part(5000));
    assert_eq!(of(json!({"amount_refunded": 12000, "refunded": true})), PaymentChange::Refunded(Refund::Full));
    // All was captured.
    assert_eq!(of(json!({"amount": 5000, "amount_refunded": 5000})), refunded_part(5000));
    // 2019-12-03: nobody tells what was captured.
    assert_eq!(of(json!({"amount": 5000, "amount_captured": null, "amount_refunded": 700})), refunded_part(700));
    // An authorisation that was given up: nothing was ever received.
    for nothing in [json!({"captured": false}), json!({"amount_captured": 0})] {
        let given_up = with(nothing.clone(), json!({"amount_refunded": 12000, "refunded": true}));
        assert_eq!(of(given_up), PaymentChange::Other, "{nothing}");
        assert_eq!(of(with(nothing, json!({"amount_refunded": 12000}))), PaymentChange::Other);
    }
}

#[test]
fn each_word_for_a_dispute_is_of_the_one_dispute() {
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
    // What is decided is decided, whichever event says so.
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

/// Before payment intents, and where a terminal of another make charges: nothing else tells of the money.
#[test]
fn a_charge_without_a_payment_intent_says_what_the_intent_would() {
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

/// Another shop's of the same account, or staging's: its own order numbers are where ours would be.
#[test]
fn a_payment_that_names_something_else_names_no_booking() {
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
fn a_session_that_keeps_a_card_for_later_is_no_order() {
    let setup = json!({"mode": "setup", "payment_status": "no_payment_required", "amount_total": null, "currency": null,
        "payment_intent": null});
    assert_eq!(stripe("checkout.session.completed", &with(session(), setup)).change, PaymentChange::Other);
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
    assert_eq!(payment("charge.dispute.created", &with(dispute("lost"), none.clone())).as_deref(), Some("ch_1"));
    assert_eq!(payment("checkout.session.completed", &with(session(), none.clone())).as_deref(), Some("cs_1"));
    let free = json!({"payment_intent": null, "payment_status": "no_payment_required", "amount_total": 0});
    assert_eq!(payment("checkout.session.completed", &with(session(), free)).as_deref(), Some("cs_1"));
    // Whole objects instead of their ids.
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

#[test]
fn a_thin_event_of_stripe_is_unreadable_and_has_its_own_time() {
    let thin = json!({
        "id": "evt_1", "object": "v2.core.event", "type": "v1.payment_intent.succeeded", "livemode": true,
        "created": "2026-07-01T14:00:01.5+02:00", "related_object": {"id": "pi_1", "type": "payment_intent"},
    });
    let event = parse_stripe(thin.to_string().as_bytes(), signed_at());
    assert_eq!((event.event_id.as_str(), event.change), ("evt_1", PaymentChange::Unreadable));
    assert_eq!(event.occurred_at, "2026-07-01T12:00:01.5Z".parse().unwrap());
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
    let one = || json!({"refund_id": "r_1", "amount": 2000});
    let cases = [
        ("payment.succeeded", none(), succeeded(5000)),
        ("payment.failed", none(), PaymentChange::Failed),
        ("payment.cancelled", none(), PaymentChange::Cancelled),
        ("payment.canceled", none(), PaymentChange::Cancelled),
        ("payment.refunded", none(), refunded(5000)),
        ("payment.refunded", json!({"amount": null}), PaymentChange::Refunded(Refund::Full)),
        ("refund.failed", none(), PaymentChange::RefundFailed),
        ("refund.pending", one(), one_refund("r_1", RefundState::Pending)),
        ("refund.succeeded", one(), one_refund("r_1", RefundState::Succeeded)),
        ("refund.failed", one(), one_refund("r_1", RefundState::Failed)),
        ("refund.cancelled", one(), one_refund("r_1", RefundState::Failed)),
        ("refund.canceled", one(), one_refund("r_1", RefundState::Failed)),
        // One that cannot be told from another.
        ("refund.succeeded", none(), PaymentChange::Unreadable),
        ("refund.failed", json!({"refund_id": 7}), PaymentChange::Unreadable),
        ("refund.failed", json!({"refund_id": "r_1", "amount": null}), PaymentChange::Unreadable),
        ("payment.disputed", none(), disputed("pay_1", Some(eur(5000)), DisputeState::Opened)),
        ("payment.disputed", json!({"amount": null}), disputed("pay_1", None, DisputeState::Opened)),
        ("dispute.won", json!({"dispute_id": "d_1"}), disputed("d_1", Some(eur(5000)), DisputeState::Won)),
        ("dispute.lost", json!({"dispute_id": "d_1"}), disputed("d_1", Some(eur(5000)), DisputeState::Lost)),
        ("dispute.closed", none(), disputed("pay_1", Some(eur(5000)), DisputeState::Closed)),
        ("dispute.lost", json!({"dispute_id": 7}), PaymentChange::Unreadable),
        ("dispute.lost", json!({"amount": "5000"}), PaymentChange::Unreadable),
        ("dispute.lost", json!({"payment_id": null}), PaymentChange::Unreadable),
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
