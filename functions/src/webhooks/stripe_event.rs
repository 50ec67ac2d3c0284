//! Stripe's events: <https://docs.stripe.com/api/events/types>.
//!
//! The booking is named by `metadata.booking_id` or `client_reference_id`, the payment by its payment intent: the only
//! id that its attempts, checkout session, charge and refunds have in common.

use boxoffice_shared::model::{BookingId, EventId, PaymentChange, PaymentEvent, PaymentId, Provider, Refund};
use jiff::Timestamp;
use serde_json::Value;

use super::json::{id_of, money, plausible, read};

/// The event in a verified body. What cannot be understood is an event too: an unreadable one.
pub fn parse(body: &[u8], signed_at: Timestamp) -> PaymentEvent {
    let event = read(body);
    let object = &event["data"]["object"];
    let event_id = event["id"].as_str().and_then(|id| EventId::try_from(id).ok());
    let event_type = event["type"].as_str();
    let payment_id = payment_id(object);
    let change = match (&event_id, event_type) {
        (Some(_), Some(event_type)) => change(event_type, object, payment_id.is_some()),
        _ => None,
    };
    PaymentEvent {
        provider: Provider::Stripe,
        event_id: event_id.unwrap_or_else(|| id_of(body)),
        event_type: event_type.unwrap_or_default().into(),
        payment_id,
        booking_id: booking_id(object),
        occurred_at: created(&event).unwrap_or(signed_at),
        change: change.unwrap_or(PaymentChange::Unreadable),
        payload: body.into(),
    }
}

/// What the event says, or `None` if it does not say it in a way that we know.
fn change(event_type: &str, object: &Value, has_payment: bool) -> Option<PaymentChange> {
    let change = match event_type {
        "payment_intent.succeeded" => PaymentChange::Succeeded(money(&object["amount_received"], &object["currency"])?),
        // The second of them is for ways to pay that take days: their session completes unpaid.
        "checkout.session.completed" | "checkout.session.async_payment_succeeded" => {
            match object["payment_status"].as_str()? {
                "paid" => PaymentChange::Succeeded(money(&object["amount_total"], &object["currency"])?),
                "unpaid" | "no_payment_required" => PaymentChange::Other,
                _ => return None,
            }
        }
        "payment_intent.payment_failed" | "checkout.session.async_payment_failed" => PaymentChange::Failed,
        "payment_intent.canceled" | "checkout.session.expired" => PaymentChange::Cancelled,
        // Its amount is all that was refunded so far.
        "charge.refunded" => PaymentChange::Refunded(match object["refunded"].as_bool()? {
            true => Refund::Full,
            false => Refund::Amount(money(&object["amount_refunded"], &object["currency"])?),
        }),
        // Its amount is this refund's.
        "refund.created" | "refund.updated" | "refund.failed" => match object["status"].as_str()? {
            "succeeded" | "pending" | "requires_action" => {
                PaymentChange::Refunded(Refund::Amount(money(&object["amount"], &object["currency"])?))
            }
            "failed" | "canceled" => PaymentChange::RefundFailed,
            _ => return None,
        },
        _ => PaymentChange::Other,
    };
    // Money of no payment can be given to no booking and back to no buyer: somebody should look.
    let is_about_money =
        matches!(change, PaymentChange::Succeeded(_) | PaymentChange::Refunded(_) | PaymentChange::RefundFailed);
    if is_about_money && !has_payment { None } else { Some(change) }
}

fn created(event: &Value) -> Option<Timestamp> {
    Timestamp::from_second(event["created"].as_i64()?).ok().filter(|time| plausible(*time))
}

fn payment_id(object: &Value) -> Option<PaymentId> {
    let intent = &object["payment_intent"];
    // Stripe writes the id, or the whole payment intent where it was asked to.
    let intent = intent.as_str().or_else(|| intent["id"].as_str());
    let own = || match object["object"].as_str()? {
        "payment_intent" => object["id"].as_str(),
        // Charges of the time before payment intents.
        "charge" => object["id"].as_str(),
        "refund" => object["charge"].as_str(),
        // One that was paid without a payment intent: a subscription's.
        "checkout.session" if object["payment_status"] == "paid" => object["id"].as_str(),
        _ => None,
    };
    PaymentId::try_from(intent.or_else(own)?).ok()
}

fn booking_id(object: &Value) -> Option<BookingId> {
    let names = [&object["metadata"]["booking_id"], &object["client_reference_id"]];
    names.into_iter().find_map(|name| name.as_str()?.parse().ok())
}
