//! Mark what is due of a payment as given back.

use tokio_postgres::types::Type;

use crate::{
    Error,
    payments::{Payment, PaymentId, Provider},
    platform::db::{Db, Repeat, Statement, row},
};

static SETTLE_PAYMENT: Statement = Statement { sql: include_str!("settle.sql"), types: &[Type::TEXT, Type::TEXT] };

/// A payment whose money went back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettledPayment {
    /// The payment.
    pub payment: Payment,
    /// This call made it so. Else an earlier one, or the provider's event, did.
    pub changed: bool,
}

/// Marks all that is due of a payment as given back: an operator did it. One that bought nothing is refunded then; one that
/// confirmed a booking stays confirmed, and what failed to go back of it is no longer due. Repeating it is the same answer, and
/// so is the provider's own event that says it.
///
/// Locks the payment. One round trip.
///
/// # Errors
/// [`Error::PaymentNotFound`]; [`Error::PaymentNotDue`] if nothing of it is due and no call has settled it.
pub async fn settle(db: &Db, provider: Provider, payment_id: &PaymentId) -> Result<SettledPayment, Error> {
    let rows = db.run(&SETTLE_PAYMENT, &[&provider.as_str(), &payment_id.as_str()], Repeat::Safe).await?;
    let row = rows.first().ok_or(Error::PaymentNotFound)?;
    if !row::get::<bool>(row, "settled")? {
        return Err(Error::PaymentNotDue);
    }
    Ok(SettledPayment { payment: Payment::from_row(row)?, changed: row::get(row, "changed")? })
}
