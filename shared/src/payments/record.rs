//! Do what a payment provider's event asks for.

use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};

use crate::{
    Error,
    holders::HolderLimits,
    metrics::Counter,
    money::Money,
    payments::{PaymentChange, PaymentEvent, PaymentId, Refund, RefundReason},
    platform::db::{Db, Repeat, Statement, row},
};

/// `$1` to `$18`; a replay has all but the last, the payload.
pub(super) static TYPES: [Type; 18] = [
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
    Type::TEXT,
    Type::INT4,
    Type::INT4,
    Type::INT4,
    Type::INT8_ARRAY,
    Type::TEXT,
    Type::TEXT,
];

static RECORD_PAYMENT: Statement = Statement { sql: include_str!("record.sql"), types: &TYPES };

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It was recorded before; nothing was done again.
    Repeated,
    /// Its payment confirmed the booking.
    Confirmed,
    /// Its payment buys nothing: the money is to be given back.
    RefundDue(RefundReason),
    /// Its payment succeeded and names no booking: another shop's of the same account, or nobody's.
    Unclaimed,
    /// The buyer's bank disputes its payment, or has taken the money back: the seats stay.
    Disputed,
    /// Its payment's money went back. If the payment had confirmed a booking, that has failed and its seats are free.
    Refunded,
    /// Recorded, and nothing follows from it.
    Kept,
}

impl Recorded {
    /// Counts what became of an event.
    pub fn count(self) {
        match self {
            Self::Confirmed => Counter::Confirmed.add(1),
            Self::RefundDue(_) => Counter::RefundDue.add(1),
            Self::Refunded => Counter::Refunded.add(1),
            Self::Unclaimed => Counter::Unclaimed.add(1),
            Self::Disputed => Counter::Disputed.add(1),
            Self::Repeated | Self::Kept => {}
        }
    }
}

/// Records the event and does what follows from it, in one transaction; a repetition does nothing.
///
/// | the event says | the payment is then |
/// |---|---|
/// | success, in time, the right amount | `confirmed`, and so is the booking, whatever its holder has |
/// | success after the hold | `confirmed` if the show still has the seats: they are taken again; and if its holder stays within `limits` or the show's own. Else `refund_due` |
/// | success for a booking that another payment confirmed, or that was cancelled, or refunded, or has no price, or does not exist | `refund_due` |
/// | success with a wrong amount or currency | `refund_due`; the hold goes on. Another event of it may tell what of the amount is for the booking, and it is applied then |
/// | success with more in its amount than is for the booking, or in another currency | as its readings say: one of them must be the price. What arrived is what can go back |
/// | success for a booking that an operator confirmed | `confirmed` |
/// | success that names no booking | `unclaimed`; another event of it may name one, and it is applied then |
/// | failed, cancelled | as it was if it had succeeded, whichever event came first; else `failed`, and the hold goes on |
/// | refunded in full, by a total or by refunds whose sum is what was received | `refunded`; if it was `confirmed`, a payment that is `already_paid` takes its place, else the booking fails and its seats are given back. If its success was not known yet, it will confirm nothing |
/// | refunded in part | as it was |
/// | a refund failed | `refund_due` if the payment was, or would have been, refunded in full; else as it was, and what failed is due |
/// | disputed | as it was, and disputed until that is won, or lost and decided by an operator |
///
/// What is counted of refunds depends on what was told, and not on the order in which it came: see the function
/// `payment_refunded` of the migrations.
///
/// A booking that its holder cancelled stays cancelled though money arrives: the buyer gave it up, and the seats may be
/// in another's cart. One that merely ran out of time was still wanted.
///
/// Locks the holder of the show for a success after the hold, the payments of the booking, the payment, its booking, then one
/// pool of the show, and all of them only if no single pool has the seats. One round trip.
///
/// # Errors
/// Only those that every operation has; then the event was not recorded.
pub async fn record(db: &Db, event: &PaymentEvent, limits: &HolderLimits) -> Result<Recorded, Error> {
    let columns = Columns::of(event, limits);
    let mut values = columns.values();
    let payload = event.payload.as_str();
    values.push(&payload);
    read(row::only(&db.run(&RECORD_PAYMENT, &values, Repeat::Safe).await?)?)
}

/// An event, but for its payload, as the statements take it.
pub(super) struct Columns<'a> {
    provider: &'static str,
    event_id: &'a str,
    event_type: &'a str,
    payment_id: Option<&'a str>,
    show_id: Option<i64>,
    booking_id: Option<uuid::Uuid>,
    occurred_at: jiff::Timestamp,
    change: &'static str,
    amount_minor: Option<i64>,
    currency: Option<&'a str>,
    about_id: Option<&'a str>,
    about_state: Option<&'static str>,
    max_seats: i32,
    address_allowance: i32,
    partner_allowance: i32,
    prices: Option<Vec<i64>>,
    prices_currency: Option<&'a str>,
}

impl<'a> Columns<'a> {
    /// The event's, and of the limits those for what a holder has in all.
    pub(super) fn of(event: &'a PaymentEvent, limits: &HolderLimits) -> Self {
        let (change, money, about) = match &event.change {
            PaymentChange::Succeeded(money) => ("succeeded", Some(money), None),
            PaymentChange::SucceededFor { received, .. } => ("succeeded", Some(received), None),
            PaymentChange::Failed => ("failed", None, None),
            PaymentChange::Cancelled => ("cancelled", None, None),
            PaymentChange::Refunded(Refund::Full) => ("refunded", None, None),
            PaymentChange::Refunded(Refund::Amount(money)) => ("refunded", Some(money), None),
            PaymentChange::Refunded(Refund::Part(money)) => ("refunded_in_part", Some(money), None),
            PaymentChange::Refund { id, amount, state } => {
                ("refund", Some(amount), Some((id.as_str(), state.as_str())))
            }
            PaymentChange::RefundFailed => ("refund_failed", None, None),
            PaymentChange::Disputed { id, amount, state } => {
                ("disputed", amount.as_ref(), Some((id.as_str(), state.as_str())))
            }
            PaymentChange::Other => ("other", None, None),
            PaymentChange::Unreadable => ("unreadable", None, None),
        };
        let (about_id, about_state) = about.unzip();
        let prices = match &event.change {
            PaymentChange::SucceededFor { prices, .. } if !prices.is_empty() => Some(prices.as_slice()),
            _ => None,
        };
        Self {
            provider: event.provider.as_str(),
            event_id: event.event_id.as_str(),
            event_type: event.event_type.as_str(),
            payment_id: event.payment_id.as_ref().map(PaymentId::as_str),
            show_id: event.booking_id.map(|id| id.show_id().get()),
            booking_id: event.booking_id.map(|id| id.uuid()),
            occurred_at: event.occurred_at,
            change,
            amount_minor: money.map(|money| money.minor()),
            currency: money.map(|money| money.currency().as_str()),
            about_id,
            about_state,
            max_seats: limits.max_seats,
            address_allowance: limits.address_allowance,
            partner_allowance: limits.partner_allowance,
            prices: prices.map(|prices| prices.iter().map(Money::minor).collect()),
            prices_currency: prices.and_then(<[Money]>::first).map(|price| price.currency().as_str()),
        }
    }

    /// `$1` to `$17`.
    pub(super) fn values(&self) -> Vec<&(dyn ToSql + Sync)> {
        vec![
            &self.provider,
            &self.event_id,
            &self.event_type,
            &self.payment_id,
            &self.show_id,
            &self.booking_id,
            &self.occurred_at,
            &self.change,
            &self.amount_minor,
            &self.currency,
            &self.about_id,
            &self.about_state,
            &self.max_seats,
            &self.address_allowance,
            &self.partner_allowance,
            &self.prices,
            &self.prices_currency,
        ]
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
        ("unclaimed", None) => Ok(Recorded::Unclaimed),
        ("disputed", None) => Ok(Recorded::Disputed),
        ("refunded", None) => Ok(Recorded::Refunded),
        ("kept", None) => Ok(Recorded::Kept),
        (outcome, reason) => Err(Error::Internal(format!("an event's outcome is {outcome}, {reason:?}").into())),
    }
}
