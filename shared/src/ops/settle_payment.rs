//! Mark a refund that was due as given back.

use tokio_postgres::types::Type;

use super::row;
use crate::{
    Error,
    db::{Db, Repeat, Statement},
    model::{Payment, PaymentId, PaymentState, Provider},
};

static SETTLE_PAYMENT: Statement =
    Statement { sql: include_str!("settle_payment.sql"), types: &[Type::TEXT, Type::TEXT] };

/// A payment whose money went back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettledPayment {
    /// The payment.
    pub payment: Payment,
    /// This call made it so. Else an earlier one, or the provider's event, did.
    pub changed: bool,
}

/// Marks a payment whose refund is due as refunded: an operator gave the money back. Repeating it is the same answer,
/// and so is the provider's own event that says it.
///
/// Locks the payment. One round trip.
///
/// # Errors
/// [`Error::PaymentNotFound`]; [`Error::PaymentNotDue`] if its success is not known or it has confirmed a booking.
pub async fn settle_payment(db: &Db, provider: Provider, payment_id: &PaymentId) -> Result<SettledPayment, Error> {
    let rows = db.run(&SETTLE_PAYMENT, &[&provider.as_str(), &payment_id.as_str()], Repeat::Safe).await?;
    let row = rows.first().ok_or(Error::PaymentNotFound)?;
    let payment = row::payment(row)?;
    match payment.state() {
        PaymentState::Refunded => Ok(SettledPayment { payment, changed: row::get(row, "changed")? }),
        PaymentState::Pending | PaymentState::Failed | PaymentState::Confirmed => Err(Error::PaymentNotDue),
        PaymentState::RefundDue => Err(Error::Internal("a refund that was due was not settled".into())),
    }
}
