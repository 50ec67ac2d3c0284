//! Stripe's events: <https://docs.stripe.com/api/events/types>.
//!
//! The booking is named by `metadata.booking_id` or `client_reference_id`, the payment by its payment intent: the only
//! id that its attempts, checkout session, charge, refunds and disputes have in common.
//!
//! | events | say |
//! |---|---|
//! | `payment_intent.succeeded`, `checkout.session.completed` and `.async_payment_succeeded` (paid, or nothing to pay) | money arrived; [`stripe_money`] says how much of it is for the booking |
//! | `payment_intent.payment_failed`, `checkout.session.async_payment_failed` | an attempt failed |
//! | `payment_intent.canceled`, `checkout.session.expired` | the payment was given up |
//! | `charge.refunded` | all that went back so far, of what was captured |
//! | `refund.created`, `.updated`, `.failed`, `charge.refund.updated` | one refund: where it is |
//! | `charge.dispute.created`, `.updated`, `.funds_withdrawn`, `.funds_reinstated`, `.closed` | one dispute: where it is |
//! | `charge.succeeded`, `.captured`, `.failed`, `.expired` of a charge without a payment intent | what the payment intent would have said |
//! | others | nothing that matters here: an authorisation is no money yet (`payment_intent.amount_capturable_updated`, `.processing`), and an early fraud warning (`radar.early_fraud_warning.created`) moves none |
//!
//! Only snapshot events are read (`"object": "event"`, with the whole object in `data`). Thin events (`v2.core.event`) name
//! their object and do not show it, so that they say nothing of money: unreadable, which somebody sees.

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

/// The event in a verified body, whosever it is. What cannot be understood is an event too: an unreadable one.
pub fn parse(body: &[u8], signed_at: Timestamp) -> PaymentEvent {
    understand(&read(body), body, signed_at)
}

/// The event in a verified body, if it is this stack's.
pub(super) fn parse_ours(body: &[u8], signed_at: Timestamp, scope: &StripeScope) -> Result<PaymentEvent, Ignored> {
    let event = read(body);
    stripe_scope::check(&event, scope)?;
    Ok(understand(&event, body, signed_at))
}

fn understand(event: &Value, body: &[u8], signed_at: Timestamp) -> PaymentEvent {
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

/// What the event says, or `None` if it does not say it in a way that we know.
fn change(event_type: &str, object: &Value, has_payment: bool) -> Option<PaymentChange> {
    let change = match event_type {
        "payment_intent.succeeded" => stripe_money::of_intent(object)?,
        // The second of them is for ways to pay that take days: their session completes unpaid.
        "checkout.session.completed" | "checkout.session.async_payment_succeeded" => of_session(object)?,
        "payment_intent.payment_failed" | "checkout.session.async_payment_failed" => PaymentChange::Failed,
        "payment_intent.canceled" | "checkout.session.expired" => PaymentChange::Cancelled,
        "charge.refunded" => of_refunded_charge(object)?,
        // The last of them is the word of older API versions, beside or instead of the others.
        "refund.created" | "refund.updated" | "refund.failed" | "charge.refund.updated" => of_refund(object)?,
        "charge.dispute.created"
        | "charge.dispute.updated"
        | "charge.dispute.funds_withdrawn"
        | "charge.dispute.funds_reinstated"
        | "charge.dispute.closed" => of_dispute(event_type, object)?,
        // Of a charge with a payment intent, that one's events tell the same, and more of its amount.
        "charge.succeeded" | "charge.captured" if is_alone(object) && is_captured(object) => {
            stripe_money::of_charge(object)?
        }
        "charge.failed" if is_alone(object) => PaymentChange::Failed,
        "charge.expired" if is_alone(object) => PaymentChange::Cancelled,
        _ => PaymentChange::Other,
    };
    // Money of no payment can be given to no booking and back to no buyer: somebody should look.
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

/// A session that is done. Where nothing is to be paid, that is what was paid for it. One that only keeps a way to pay for
/// later (`mode: setup`) sells nothing.
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

/// Of a charge, its amount is all that was refunded so far; what was authorised and never captured counts as refunded too,
/// when it is released. That is nobody's money, so that only what exceeds it is: never too much, and the refunds themselves
/// tell of the rest.
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
        // Of the time before partial captures were told of.
        (_, Value::Null) => 0,
        (amount, captured) => amount.as_i64()?.checked_sub(captured.as_i64()?).filter(|released| *released >= 0)?,
    };
    Some(match refunded.minor().saturating_sub(released) {
        ..=0 => PaymentChange::Other,
        minor => PaymentChange::Refunded(Refund::Part(Money::new(minor, refunded.currency().as_str()).ok()?)),
    })
}

/// Whether any of the charge's money was taken, and not only authorised.
fn is_captured(charge: &Value) -> bool {
    charge["captured"] != false && charge["amount_captured"] != 0
}

/// Whether the charge was made without a payment intent.
fn is_alone(charge: &Value) -> bool {
    charge["object"] == "charge" && charge["payment_intent"].is_null()
}

/// One refund, by its id: its amount is its own.
fn of_refund(refund: &Value) -> Option<PaymentChange> {
    let state = match &refund["status"] {
        // Stripe's documentation lets it be without one.
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

/// One dispute. What is decided is in its status, whatever event tells it; where money went meanwhile, only in the event's
/// type.
fn of_dispute(event_type: &str, dispute: &Value) -> Option<PaymentChange> {
    let state = match (dispute["status"].as_str()?, event_type) {
        ("won", _) => DisputeState::Won,
        ("lost", _) => DisputeState::Lost,
        // An inquiry that went no further, a chargeback that was kept from being made, and one whose money had gone back.
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

/// When it happened: seconds since 1970 in a snapshot event, a text in a thin one.
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
        // Charges of the time before payment intents.
        "charge" => object["id"].as_str(),
        "refund" | "dispute" => id(&object["charge"]["payment_intent"]).or_else(|| id(&object["charge"])),
        // One that was paid without a payment intent: a subscription's, or one of nothing.
        "checkout.session"
            if object["payment_status"] == "paid" || object["payment_status"] == "no_payment_required" =>
        {
            object["id"].as_str()
        }
        _ => None,
    };
    PaymentId::try_from(id(&object["payment_intent"]).or_else(own)?).ok()
}

/// Stripe writes another object's id, or the whole of it where it was asked to.
fn id(object: &Value) -> Option<&str> {
    object.as_str().or_else(|| object["id"].as_str())
}

/// The booking that the event names. Any other text there is another shop's order, or another stack's: it names no booking of
/// ours, and there is nothing wrong with that.
fn booking_id(object: &Value) -> Option<BookingId> {
    let intent = &object["payment_intent"]["metadata"]["booking_id"];
    let names = [&object["metadata"]["booking_id"], &object["client_reference_id"], intent];
    names.into_iter().find_map(|name| name.as_str()?.parse().ok())
}
