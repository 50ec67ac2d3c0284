//! Stripe's events: <https://docs.stripe.com/api/events/types>.
//!
//! `metadata.booking_id` or `client_reference_id` names the booking. The payment intent identifies the payment, because it is the
//! only id that attempts, checkout sessions, charges, refunds and disputes have in common.
//!
//! | events | meaning |
//! |---|---|
//! | `payment_intent.succeeded`, `checkout.session.completed` and `.async_payment_succeeded` (paid, or nothing to pay) | the payment succeeded; [`stripe_money`] says which part is for the booking |
//! | `payment_intent.payment_failed`, `checkout.session.async_payment_failed` | an attempt failed |
//! | `payment_intent.canceled`, `checkout.session.expired` | the payment was cancelled |
//! | `charge.refunded` | the total that was refunded so far, of what was captured |
//! | `refund.created`, `.updated`, `.failed`, `charge.refund.updated` | the state of one refund |
//! | `charge.dispute.created`, `.updated`, `.funds_withdrawn`, `.funds_reinstated`, `.closed` | the state of one dispute |
//! | `charge.succeeded`, `.captured`, `.failed`, `.expired` of a charge without a payment intent | the same as the payment intent's events |
//! | others | ignored. An authorisation (`payment_intent.amount_capturable_updated`, `.processing`) is not a payment yet, and an early fraud warning (`radar.early_fraud_warning.created`) moves no money |
//!
//! Only snapshot events are read (`"object": "event"`, with the whole object in `data`). Thin events (`v2.core.event`) do not
//! contain their object, so they are unreadable, and an operator sees them.

use boxoffice_shared::{
    bookings::BookingId,
    money::Money,
    payments::{
        DisputeId, DisputeState, EventId, PaymentChange, PaymentEvent, PaymentId, Provider, Refund, RefundId,
        RefundState, StripeScope,
    },
};
use jiff::Timestamp;
use serde_json::Value;

use super::{
    json::{id_of, money, plausible, read},
    stripe_money,
    stripe_scope::{self, Ignored},
};

/// Reads the event in a verified body, of any account. An event that cannot be read is unreadable, which is not an error.
pub fn parse(body: &[u8], signed_at: Timestamp) -> PaymentEvent {
    parse_event(&read(body), body, signed_at)
}

/// Reads the event in a verified body, if it belongs to this stack.
pub(super) fn parse_ours(body: &[u8], signed_at: Timestamp, scope: &StripeScope) -> Result<PaymentEvent, Ignored> {
    let event = read(body);
    stripe_scope::check(&event, scope)?;
    Ok(parse_event(&event, body, signed_at))
}

fn parse_event(event: &Value, body: &[u8], signed_at: Timestamp) -> PaymentEvent {
    let object = &event["data"]["object"];
    let event_id = event["id"].as_str().and_then(|id| EventId::try_from(id).ok());
    let event_type = event["type"].as_str();
    let payment_id = payment_id(object);
    let is_snapshot = event["object"] == "event" && stripe_scope::says_its_mode(event);
    let change = match (&event_id, event_type) {
        (Some(_), Some(event_type)) if is_snapshot => change(event_type, object, payment_id.is_some()),
        _ => None,
    };
    PaymentEvent {
        provider: Provider::Stripe,
        event_id: event_id.unwrap_or_else(|| id_of(body)),
        event_type: event_type.unwrap_or_default().into(),
        payment_id,
        booking_id: booking_id(object),
        occurred_at: created(event).unwrap_or(signed_at),
        change: change.unwrap_or(PaymentChange::Unreadable),
        payload: body.into(),
    }
}

/// What the event says, or `None` if it cannot be read.
fn change(event_type: &str, object: &Value, has_payment: bool) -> Option<PaymentChange> {
    let change = match event_type {
        "payment_intent.succeeded" => stripe_money::of_intent(object)?,
        // The second is for payment methods that take days, whose session completes unpaid.
        "checkout.session.completed" | "checkout.session.async_payment_succeeded" => of_session(object)?,
        "payment_intent.payment_failed" | "checkout.session.async_payment_failed" => PaymentChange::Failed,
        "payment_intent.canceled" | "checkout.session.expired" => PaymentChange::Cancelled,
        "charge.refunded" => of_refunded_charge(object)?,
        // Older API versions send the last, beside or instead of the others.
        "refund.created" | "refund.updated" | "refund.failed" | "charge.refund.updated" => of_refund(object)?,
        "charge.dispute.created"
        | "charge.dispute.updated"
        | "charge.dispute.funds_withdrawn"
        | "charge.dispute.funds_reinstated"
        | "charge.dispute.closed" => of_dispute(event_type, object)?,
        // If a charge has a payment intent, the events of the payment intent say the same, with more about the amount.
        "charge.succeeded" | "charge.captured" if is_alone(object) && is_captured(object) => {
            stripe_money::of_charge(object)?
        }
        "charge.failed" if is_alone(object) => PaymentChange::Failed,
        "charge.expired" if is_alone(object) => PaymentChange::Cancelled,
        _ => PaymentChange::Other,
    };
    // An event about money without a payment is unreadable, so that an operator sees it.
    let is_about_money = match change {
        PaymentChange::Succeeded(_)
        | PaymentChange::SucceededFor { .. }
        | PaymentChange::Refunded(_)
        | PaymentChange::Refund { .. }
        | PaymentChange::RefundFailed
        | PaymentChange::Disputed { .. } => true,
        PaymentChange::Failed | PaymentChange::Cancelled | PaymentChange::Other | PaymentChange::Unreadable => false,
    };
    if is_about_money && !has_payment { None } else { stripe_money::in_minor_units(change) }
}

/// A completed session. If there was nothing to pay, it is a payment of 0. A session that only saves a payment method
/// (`mode: setup`) is not a payment.
fn of_session(session: &Value) -> Option<PaymentChange> {
    if session["mode"] == "setup" {
        return Some(PaymentChange::Other);
    }
    match session["payment_status"].as_str()? {
        "paid" | "no_payment_required" => stripe_money::of_session(session),
        "unpaid" => Some(PaymentChange::Other),
        _ => None,
    }
}

/// The amount of a refunded charge is the total that was refunded so far. It includes the part that was authorised, never
/// captured, and released, which is not a refund. So that part is subtracted. The result is never too much, and the events of the
/// refunds report the rest.
fn of_refunded_charge(charge: &Value) -> Option<PaymentChange> {
    let is_full = charge["refunded"].as_bool()?;
    if !is_captured(charge) {
        return Some(PaymentChange::Other);
    }
    if is_full {
        return Some(PaymentChange::Refunded(Refund::Full));
    }
    let refunded = money(&charge["amount_refunded"], &charge["currency"])?;
    let released = match (&charge["amount"], &charge["amount_captured"]) {
        // From the time before Stripe reported partial captures.
        (_, Value::Null) => 0,
        (amount, captured) => amount.as_i64()?.checked_sub(captured.as_i64()?).filter(|released| *released >= 0)?,
    };
    Some(match refunded.minor().saturating_sub(released) {
        ..=0 => PaymentChange::Other,
        minor => PaymentChange::Refunded(Refund::Part(Money::new(minor, refunded.currency().as_str()).ok()?)),
    })
}

/// Whether any of the charge was captured, and not only authorised.
fn is_captured(charge: &Value) -> bool {
    charge["captured"] != false && charge["amount_captured"] != 0
}

/// Whether the charge was made without a payment intent.
fn is_alone(charge: &Value) -> bool {
    charge["object"] == "charge" && charge["payment_intent"].is_null()
}

/// The state of one refund, with its amount.
fn of_refund(refund: &Value) -> Option<PaymentChange> {
    let state = match &refund["status"] {
        // By Stripe's documentation the status may be missing.
        Value::Null => RefundState::Pending,
        status => match status.as_str()? {
            "pending" | "requires_action" => RefundState::Pending,
            "succeeded" => RefundState::Succeeded,
            "failed" | "canceled" => RefundState::Failed,
            _ => return None,
        },
    };
    let id = RefundId::try_from(refund["id"].as_str()?).ok()?;
    Some(PaymentChange::Refund { id, amount: money(&refund["amount"], &refund["currency"])?, state })
}

/// The state of one dispute. Its status has the decision. Only the type of the event says whether money was withdrawn.
fn of_dispute(event_type: &str, dispute: &Value) -> Option<PaymentChange> {
    let state = match (dispute["status"].as_str()?, event_type) {
        ("won", _) => DisputeState::Won,
        ("lost", _) => DisputeState::Lost,
        // An inquiry without a chargeback, a chargeback that was prevented, and one for a payment that was refunded.
        ("warning_closed" | "prevented" | "charge_refunded", _) => DisputeState::Closed,
        (_, "charge.dispute.closed") => return None,
        (_, "charge.dispute.funds_withdrawn") => DisputeState::FundsWithdrawn,
        (_, "charge.dispute.funds_reinstated") => DisputeState::FundsReinstated,
        _ => DisputeState::Opened,
    };
    let id = DisputeId::try_from(dispute["id"].as_str()?).ok()?;
    let amount = match &dispute["amount"] {
        Value::Null => None,
        minor => Some(money(minor, &dispute["currency"])?),
    };
    Some(PaymentChange::Disputed { id, amount, state })
}

/// When it happened: seconds since 1970 in a snapshot event, text in a thin event.
fn created(event: &Value) -> Option<Timestamp> {
    let time = match &event["created"] {
        Value::String(text) => text.parse().ok()?,
        seconds => Timestamp::from_second(seconds.as_i64()?).ok()?,
    };
    plausible(time).then_some(time)
}

fn payment_id(object: &Value) -> Option<PaymentId> {
    let own = || match object["object"].as_str()? {
        "payment_intent" => object["id"].as_str(),
        // Charges from the time before payment intents.
        "charge" => object["id"].as_str(),
        "refund" | "dispute" => id(&object["charge"]["payment_intent"]).or_else(|| id(&object["charge"])),
        // A session without a payment intent: of a subscription, or with nothing to pay.
        "checkout.session"
            if object["payment_status"] == "paid" || object["payment_status"] == "no_payment_required" =>
        {
            object["id"].as_str()
        }
        _ => None,
    };
    PaymentId::try_from(id(&object["payment_intent"]).or_else(own)?).ok()
}

/// The id of another object. Stripe sends the id, or the whole object if it is configured so.
fn id(object: &Value) -> Option<&str> {
    object.as_str().or_else(|| object["id"].as_str())
}

/// The booking that the event names. Any other text is an order of another shop or stack, which is not an error.
fn booking_id(object: &Value) -> Option<BookingId> {
    let intent = &object["payment_intent"]["metadata"]["booking_id"];
    let names = [&object["metadata"]["booking_id"], &object["client_reference_id"], intent];
    names.into_iter().find_map(|name| name.as_str()?.parse().ok())
}
