//! Marks what is due of a payment as refunded.

use tokio_postgres::types::Type;

use crate::{
    Error,
    payments::{Payment, PaymentId, Provider},
    platform::db::{Db, Repeat, Statement, row},
};

static SETTLE_PAYMENT: Statement = Statement { sql: include_str!("settle.sql"), types: &[Type::TEXT, Type::TEXT] };

/// A payment whose money was refunded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettledPayment {
    /// The payment.
    pub payment: Payment,
    /// Whether this call settled it. Otherwise an earlier call or the provider's event did.
    pub changed: bool,
}

/// Marks all that is due of a payment as refunded, after an operator refunded it. A payment that bought nothing becomes
/// `refunded`. One that confirmed a booking stays confirmed, and its failed refunds are no longer due. Repeating the
/// call gives the same answer; the provider's own event about the refund changes nothing more.
///
/// Locks the payment. One round trip.
///
/// # Errors
/// [`Error::PaymentNotFound`]; [`Error::PaymentNotDue`] if nothing is due and no call settled it before.
pub async fn settle(db: &Db, provider: Provider, payment_id: &PaymentId) -> Result<SettledPayment, Error> {
    let rows = db.run(&SETTLE_PAYMENT, &[&provider.as_str(), &payment_id.as_str()], Repeat::Safe).await?;
    let row = rows.first().ok_or(Error::PaymentNotFound)?;
    if !row::get::<bool>(row, "settled")? {
        return Err(Error::PaymentNotDue);
    }
    Ok(SettledPayment { payment: Payment::from_row(row)?, changed: row::get(row, "changed")? })
}
