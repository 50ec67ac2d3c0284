//! Decides about a booking whose payment was lost in a dispute.

use tokio_postgres::types::Type;

use crate::{
    Error,
    payments::{DisputeDecision, Payment, PaymentId, Provider},
    platform::db::{Db, Repeat, Statement, row},
};

static DECIDE_DISPUTE: Statement =
    Statement { sql: include_str!("decide_dispute.sql"), types: &[Type::TEXT, Type::TEXT, Type::TEXT] };

/// A payment about whose lost dispute an operator decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecidedDispute {
    /// The payment.
    pub payment: Payment,
    /// Whether this call made the decision. Otherwise an earlier call did.
    pub changed: bool,
}

/// Decides about the booking of a payment that the buyer's bank took back for good.
///
/// | decision | the booking | the payment |
/// |---|---|---|
/// | keep | stays confirmed | is confirmed again |
/// | cancel | fails as refunded and its seats are released, unless a second payment of it is held as `already_paid`: then that payment replaces this one and the booking stays | is refunded; if only a part was disputed, the rest is due |
///
/// Repeating the call gives the same answer. A decision is final: to give up a booking that was kept, refund the
/// payment or cancel the booking in another way.
///
/// Locks the payments of the booking, the payment, its booking, then one pool. One round trip.
///
/// # Errors
/// [`Error::PaymentNotFound`]; [`Error::DisputeNotLost`] if no dispute about a confirmed payment was lost, or if the
/// other decision was made.
pub async fn decide_dispute(
    db: &Db,
    provider: Provider,
    payment_id: &PaymentId,
    decision: DisputeDecision,
) -> Result<DecidedDispute, Error> {
    let decided = decision.as_str();
    let rows = db.run(&DECIDE_DISPUTE, &[&provider.as_str(), &payment_id.as_str(), &decided], Repeat::Safe).await?;
    let row = rows.first().ok_or(Error::PaymentNotFound)?;
    if row::get::<Option<&str>>(row, "decided")? != Some(decided) {
        return Err(Error::DisputeNotLost);
    }
    Ok(DecidedDispute { payment: Payment::from_row(row)?, changed: row::get(row, "changed")? })
}
