//! Events of providers that follow Standard Webhooks, which leaves their bodies open. Ours:
//!
//! `{"type": "payment.succeeded", "timestamp": "2026-07-01T12:00:00Z",
//! "data": {"booking_id": "42-...", "payment_id": "pay_1", "amount": 5000, "currency": "EUR"}}`
//!
//! | type | says |
//! |---|---|
//! | `payment.succeeded` | `amount`, in minor units, arrived |
//! | `payment.failed`, `payment.cancelled` | an attempt failed, the payment was given up |
//! | `payment.refunded` | `amount` was given back so far; all of it where there is no `amount` |
//! | `refund.failed` | a refund failed: the money did not go back |
//! | others | nothing that matters here |

use boxoffice_shared::model::{EventId, PaymentChange, PaymentEvent, PaymentId, Provider, Refund};
use jiff::Timestamp;
use serde_json::Value;

use super::json::{id_of, money, plausible, read};

/// The event in a verified body. Its id is the `webhook-id`. What cannot be understood is an event too: an unreadable
/// one.
pub fn parse(webhook_id: &str, body: &[u8], signed_at: Timestamp) -> PaymentEvent {
    let event = read(body);
    let data = &event["data"];
    let event_type = event["type"].as_str();
    let payment_id = data["payment_id"].as_str().and_then(|id| PaymentId::try_from(id).ok());
    PaymentEvent {
        provider: Provider::Standard,
        event_id: EventId::try_from(webhook_id).unwrap_or_else(|_| id_of(webhook_id.as_bytes())),
        event_type: event_type.unwrap_or_default().into(),
        booking_id: data["booking_id"].as_str().and_then(|id| id.parse().ok()),
        occurred_at: timestamp(&event).unwrap_or(signed_at),
        change: event_type
            .and_then(|event_type| change(event_type, data, payment_id.is_some()))
            .unwrap_or(PaymentChange::Unreadable),
        payment_id,
        payload: body.into(),
    }
}

fn timestamp(event: &Value) -> Option<Timestamp> {
    event["timestamp"].as_str()?.parse().ok().filter(|time| plausible(*time))
}

/// What the event says, or `None` if it does not say it in a way that we know.
fn change(event_type: &str, data: &Value, has_payment: bool) -> Option<PaymentChange> {
    let (amount, currency) = (&data["amount"], &data["currency"]);
    let change = match event_type {
        "payment.succeeded" => PaymentChange::Succeeded(money(amount, currency)?),
        "payment.failed" => PaymentChange::Failed,
        "payment.cancelled" | "payment.canceled" => PaymentChange::Cancelled,
        "payment.refunded" if amount.is_null() => PaymentChange::Refunded(Refund::Full),
        "payment.refunded" => PaymentChange::Refunded(Refund::Amount(money(amount, currency)?)),
        "refund.failed" => PaymentChange::RefundFailed,
        _ => return Some(PaymentChange::Other),
    };
    // Without a payment there is nothing that it could be said of: somebody should look.
    has_payment.then_some(change)
}
