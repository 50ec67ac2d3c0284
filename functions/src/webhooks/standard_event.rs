//! Events of providers that follow Standard Webhooks. The standard does not define bodies; this is our format:
//!
//! `{"type": "payment.succeeded", "timestamp": "2026-07-01T12:00:00Z",
//! "data": {"booking_id": "42-...", "payment_id": "pay_1", "amount": 5000, "currency": "EUR"}}`
//!
//! | type | meaning |
//! |---|---|
//! | `payment.succeeded` | `amount`, in minor units, was paid |
//! | `payment.failed`, `payment.cancelled` | an attempt failed, or the payment was cancelled |
//! | `payment.refunded` | the total refunded so far is `amount`, or the whole payment without `amount` |
//! | `refund.pending`, `refund.succeeded`, `refund.failed`, `refund.cancelled` | the state of the refund `refund_id` of `amount` |
//! | `refund.failed` without `refund_id` | a refund failed, and it is not known which: nothing was refunded |
//! | `payment.disputed` | the buyer's bank disputes `amount`, or the whole payment without `amount`; `dispute_id` identifies the dispute |
//! | `dispute.won`, `dispute.lost`, `dispute.closed` | the dispute was decided for us, for the buyer, or ended without a decision |
//! | others | ignored |

use boxoffice_shared::{
    payments::{
        DisputeId, DisputeState, EventId, PaymentChange, PaymentEvent, PaymentId, Provider, Refund, RefundId,
        RefundState,
    },
    platform::time::rfc_3339,
};
use jiff::Timestamp;
use serde_json::Value;

use super::json::{id_of, money, plausible, read};

/// Reads the event in a verified body. Its id is the `webhook-id`. An event that cannot be read is unreadable, which is not an
/// error.
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
            .and_then(|event_type| change(event_type, data, payment_id.as_ref()))
            .unwrap_or(PaymentChange::Unreadable),
        payment_id,
        payload: body.into(),
    }
}

fn timestamp(event: &Value) -> Option<Timestamp> {
    rfc_3339(event["timestamp"].as_str()?).ok().filter(|time| plausible(*time))
}

/// What the event says, or `None` if it cannot be read.
fn change(event_type: &str, data: &Value, payment_id: Option<&PaymentId>) -> Option<PaymentChange> {
    let (amount, currency) = (&data["amount"], &data["currency"]);
    let refund = |state| {
        let id = RefundId::try_from(data["refund_id"].as_str()?).ok()?;
        Some(PaymentChange::Refund { id, amount: money(amount, currency)?, state })
    };
    let dispute = |state| {
        // Most payments are disputed at most once, and some providers have no ids for disputes.
        let id = match &data["dispute_id"] {
            Value::Null => payment_id?.as_str(),
            id => id.as_str()?,
        };
        let amount = if amount.is_null() { None } else { Some(money(amount, currency)?) };
        Some(PaymentChange::Disputed { id: DisputeId::try_from(id).ok()?, amount, state })
    };
    let change = match event_type {
        "payment.succeeded" => PaymentChange::Succeeded(money(amount, currency)?),
        "payment.failed" => PaymentChange::Failed,
        "payment.cancelled" | "payment.canceled" => PaymentChange::Cancelled,
        "payment.refunded" if amount.is_null() => PaymentChange::Refunded(Refund::Full),
        "payment.refunded" => PaymentChange::Refunded(Refund::Amount(money(amount, currency)?)),
        "refund.failed" if data["refund_id"].is_null() => PaymentChange::RefundFailed,
        "refund.pending" => refund(RefundState::Pending)?,
        "refund.succeeded" => refund(RefundState::Succeeded)?,
        "refund.failed" | "refund.cancelled" | "refund.canceled" => refund(RefundState::Failed)?,
        "payment.disputed" => dispute(DisputeState::Opened)?,
        "dispute.won" => dispute(DisputeState::Won)?,
        "dispute.lost" => dispute(DisputeState::Lost)?,
        "dispute.closed" => dispute(DisputeState::Closed)?,
        _ => return Some(PaymentChange::Other),
    };
    // An event without a payment is unreadable, so that an operator sees it.
    payment_id.is_some().then_some(change)
}
