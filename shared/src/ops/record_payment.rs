//! Do what a payment provider's event asks for.

use tokio_postgres::{Row, types::Type};

use super::row;
use crate::{
    Error,
    db::{Db, Repeat, Statement, Values},
    model::{Money, PaymentChange, PaymentEvent, PaymentId, Refund, RefundReason},
};

/// `$1` to `$11`; a replay has the first ten, and no payload.
pub(super) static TYPES: [Type; 11] = [
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::INT8,
    Type::UUID,
    Type::TIMESTAMPTZ,
    Type::TEXT,
    Type::INT8,
    Type::TEXT,
    Type::TEXT,
];

static RECORD_PAYMENT: Statement = Statement { sql: include_str!("record_payment.sql"), types: &TYPES };

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It was recorded before; nothing was done again.
    Repeated,
    /// Its payment confirmed the booking.
    Confirmed,
    /// Its payment buys nothing: the money is to be given back.
    RefundDue(RefundReason),
    /// Its payment's money went back. If the payment had confirmed a booking, that has failed and its seats are free.
    Refunded,
    /// Recorded, and nothing follows from it.
    Kept,
}

/// Records the event and does what follows from it, in one transaction; a repetition does nothing.
///
/// | the event says | the payment is then |
/// |---|---|
/// | success, in time, the right amount | `confirmed`, and so is the booking |
/// | success after the hold | `confirmed` if the show still has the seats: they are taken again. Else `refund_due` |
/// | success for a booking that another payment confirmed, or that was cancelled, or refunded, or has no price, or does not exist | `refund_due` |
/// | success with a wrong amount or currency | `refund_due`; the hold goes on |
/// | success for a booking that an operator confirmed | `confirmed` |
/// | failed, cancelled | as it was if it had succeeded, whichever event came first; else `failed`, and the hold goes on |
/// | refunded in full | `refunded`; if it was `confirmed`, the booking fails and its seats are given back. If its success was not known yet, it will confirm nothing |
/// | refunded in part | as it was |
/// | a refund failed | `refund_due` if it was `refunded` |
///
/// A booking that its holder cancelled stays cancelled though money arrives: the buyer gave it up, and the seats may be
/// in another's cart. One that merely ran out of time was still wanted.
///
/// Locks the event's key, the payment, its booking, then one pool of the show, and all of them only if no single pool
/// has the seats. One round trip.
///
/// # Errors
/// Only those that every operation has; then the event was not recorded.
pub async fn record_payment(db: &Db, event: &PaymentEvent) -> Result<Recorded, Error> {
    let (change, amount) = columns(&event.change);
    let values: Values<'_> = &[
        &event.provider.as_str(),
        &event.event_id.as_str(),
        &event.event_type.as_str(),
        &event.payment_id.as_ref().map(PaymentId::as_str),
        &event.booking_id.map(|id| id.show_id().get()),
        &event.booking_id.map(|id| id.uuid()),
        &event.occurred_at,
        &change,
        &amount.map(Money::minor),
        &amount.map(|money| money.currency().as_str()),
        &event.payload.as_str(),
    ];
    read(row::only(&db.run(&RECORD_PAYMENT, values, Repeat::Safe).await?)?)
}

/// A change as the columns `change`, `amount_minor` and `currency` have it.
pub(super) fn columns(change: &PaymentChange) -> (&'static str, Option<&Money>) {
    match change {
        PaymentChange::Succeeded(money) => ("succeeded", Some(money)),
        PaymentChange::Failed => ("failed", None),
        PaymentChange::Cancelled => ("cancelled", None),
        PaymentChange::Refunded(Refund::Full) => ("refunded", None),
        PaymentChange::Refunded(Refund::Amount(money)) => ("refunded", Some(money)),
        PaymentChange::RefundFailed => ("refund_failed", None),
        PaymentChange::Other => ("other", None),
        PaymentChange::Unreadable => ("unreadable", None),
    }
}

/// What a row with the columns `outcome` and `reason` says.
pub(super) fn read(row: &Row) -> Result<Recorded, Error> {
    let outcome: &str = row::get(row, "outcome")?;
    match (outcome, row::get::<Option<&str>>(row, "reason")?) {
        ("repeated", None) => Ok(Recorded::Repeated),
        ("confirmed", None) => Ok(Recorded::Confirmed),
        ("refund_due", Some(reason)) => {
            reason.parse().map(Recorded::RefundDue).map_err(|e| Error::Internal(format!("{reason}: {e}").into()))
        }
        ("refunded", None) => Ok(Recorded::Refunded),
        ("kept", None) => Ok(Recorded::Kept),
        (outcome, reason) => Err(Error::Internal(format!("an event's outcome is {outcome}, {reason:?}").into())),
    }
}
