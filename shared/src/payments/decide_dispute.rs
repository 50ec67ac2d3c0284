//! Decide what becomes of a booking whose payment was lost in a dispute.

use tokio_postgres::types::Type;

use crate::{
    Error,
    payments::{DisputeDecision, Payment, PaymentId, Provider},
    platform::db::{Db, Repeat, Statement, row},
};

static DECIDE_DISPUTE: Statement =
    Statement { sql: include_str!("decide_dispute.sql"), types: &[Type::TEXT, Type::TEXT, Type::TEXT] };

/// A payment whose lost dispute is decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecidedDispute {
    /// The payment.
    pub payment: Payment,
    /// This call made the decision. Else an earlier one did.
    pub changed: bool,
}

/// Decides what becomes of the booking of a payment that the buyer's bank took back for good.
///
/// | decision | the booking | the payment |
/// |---|---|---|
/// | keep | stays confirmed | is confirmed again |
/// | cancel | fails as refunded, and its seats are given back; unless a second payment of it is held as `already_paid`: that takes its place, and the booking stays | is refunded; if only a part was disputed, the rest is due |
///
/// Repeating it is the same answer. A decision stands: one who kept a booking refunds the payment, or cancels it in another way.
///
/// Locks the payments of the booking, the payment, its booking, then one pool. One round trip.
///
/// # Errors
/// [`Error::PaymentNotFound`]; [`Error::DisputeNotLost`] if no dispute about a confirmed payment was lost, or the other decision
/// was made.
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
