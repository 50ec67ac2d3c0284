//! Parsing of Standard Webhooks events.

use boxoffice_functions::webhooks::parse_standard;
use boxoffice_shared::payments::{DisputeState, PaymentChange, PaymentEvent, Refund, RefundState};
use serde_json::{Value, json};

use super::{BOOKING, disputed, eur, one_refund, signed_at, succeeded, with};

fn refunded(minor: i64) -> PaymentChange {
    PaymentChange::Refunded(Refund::Amount(eur(minor)))
}

/// The event of a provider that follows Standard Webhooks.
fn standard(event_type: &str, members: Value) -> PaymentEvent {
    let data = json!({"booking_id": BOOKING, "payment_id": "pay_1", "amount": 5000, "currency": "EUR"});
    let body = json!({"type": event_type, "timestamp": "2026-07-01T14:00:01+02:00", "data": with(data, members)});
    parse_standard("msg_1", body.to_string().as_bytes(), signed_at())
}

#[test]
fn standard_events_map_to_changes() {
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
        // A refund without an id cannot be distinguished from others.
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
    // An id that is too long to store is replaced by its hash.
    let long = "m".repeat(256);
    let id = parse_standard(&long, b"{}", signed_at()).event_id;
    assert_eq!(id, parse_standard(&long, b"{ }", signed_at()).event_id);
    assert!(id.as_str().starts_with("sha256-"));
}

#[test]
fn invalid_event_time_falls_back_to_the_signature_time() {
    for timestamp in [json!(-1), json!(i64::MAX), json!("x"), json!(null), json!(1.5)] {
        let body = json!({"type": "x", "timestamp": timestamp}).to_string();
        assert_eq!(parse_standard("msg_1", body.as_bytes(), signed_at()).occurred_at, signed_at(), "{timestamp}");
    }
}
