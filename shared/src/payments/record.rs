//! Records an event of a payment provider and applies it.

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

/// The types of `$1` to `$18`. A replay takes all but the last, the payload.
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

/// The outcome of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It was recorded before; nothing was done.
    Repeated,
    /// Its payment confirmed the booking.
    Confirmed,
    /// Its payment bought nothing and must be refunded.
    RefundDue(RefundReason),
    /// Its payment succeeded and names no booking: it belongs to another shop on the same account, or to nobody.
    Unclaimed,
    /// The buyer's bank disputes its payment, or has taken the money back. The seats stay booked.
    Disputed,
    /// Its payment was refunded. If the payment had confirmed a booking, that booking failed and its seats were
    /// released.
    Refunded,
    /// It was recorded and has no effect.
    Kept,
}

impl Recorded {
    /// Counts the outcome in the metrics.
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

/// Records the event and applies it, in one transaction. A repeated event does nothing.
///
/// | the event reports | the payment's state afterwards |
/// |---|---|
/// | success before the hold expires, right amount | `confirmed`, and so is the booking; the holder's limits do not matter |
/// | success after the hold expired | `confirmed` if the show still has the seats, which are taken again, and the holder stays within the show's own limits or `limits`; otherwise `refund_due` |
/// | success for a booking that another payment confirmed, or that was cancelled, or refunded, or has no price, or does not exist | `refund_due` |
/// | success with a wrong amount or currency | `refund_due`; the hold continues. If another event says which part of the amount is for the booking, that event is applied |
/// | success with an amount that is not all for the booking, or in another currency | by its candidate prices: one of them must be the booking's price. All that arrived can be refunded |
/// | success for a booking that an operator confirmed | `confirmed` |
/// | success that names no booking | `unclaimed`; if another event names one, that event is applied |
/// | failed, cancelled | unchanged if it succeeded, whichever event arrives first; otherwise `failed`, and the hold continues |
/// | refunded in full, by a total or by refunds that add up to the amount received | `refunded`. If it was `confirmed`, an `already_paid` payment of the booking replaces it; without one the booking fails and its seats are released. If its success is not known yet, a later success confirms nothing |
/// | refunded in part | unchanged |
/// | a refund failed | `refund_due` if the payment was, or would have been, refunded in full; otherwise unchanged, and the failed amount is due |
/// | disputed | unchanged, and `disputed` until the dispute is won, or is lost and an operator decides |
///
/// The refund totals depend on which events arrived, not on their order: see the function `payment_refunded` in the
/// migrations.
///
/// A payment does not revive a booking that its holder cancelled: the buyer gave it up, and somebody else may hold the
/// seats. A buyer whose hold merely expired still wanted them.
///
/// Locks: for a success after the hold expired, the holder of the show; then the payments of the booking, the payment,
/// its booking, and one pool of the show (all pools only if no single one has the seats). One round trip.
///
/// # Errors
/// Only the errors that every operation can return. The event may then not be recorded.
pub async fn record(db: &Db, event: &PaymentEvent, limits: &HolderLimits) -> Result<Recorded, Error> {
    let columns = Columns::of(event, limits);
    let mut values = columns.values();
    let payload = event.payload.as_str();
    values.push(&payload);
    read(row::only(&db.run(&RECORD_PAYMENT, &values, Repeat::Safe).await?)?)
}

/// An event as the parameters of the statements, without its payload.
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
    /// The parameters of an event, and of `limits` those for all of a holder's seats.
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

    /// The values of `$1` to `$17`.
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

/// Reads a row with the columns `outcome` and `reason`.
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
        (outcome, reason) => Err(Error::Internal(format!("unknown event outcome {outcome}, {reason:?}").into())),
    }
}
