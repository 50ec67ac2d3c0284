//! Read a page of payments.

use tokio_postgres::{Row, types::Type};

use super::row;
use crate::{
    Error,
    db::{Db, Repeat, Statement, Values},
    model::{PageLimit, Payment, PaymentCursor, PaymentState},
};

static LIST_PAYMENTS: Statement = Statement {
    sql: include_str!("list_payments.sql"),
    types: &[Type::TEXT, Type::TIMESTAMPTZ, Type::TEXT, Type::TEXT, Type::INT8],
};

/// `$1` to `$4` of the lists that have a statement of their own.
const AFTER: [Type; 4] = [Type::TIMESTAMPTZ, Type::TEXT, Type::TEXT, Type::INT8];

static LIST_DUE: Statement = Statement { sql: include_str!("list_due.sql"), types: &AFTER };

static LIST_DISPUTED: Statement = Statement { sql: include_str!("list_disputed.sql"), types: &AFTER };

/// Some of the payments in one state, the oldest first.
#[derive(Clone, Debug)]
pub struct PaymentPage {
    /// The payments.
    pub payments: Vec<Payment>,
    /// Where the next page begins, if there is one.
    pub next: Option<PaymentCursor>,
}

/// A page of the payments that are in this state, by the time at which we first heard of them, after `after`.
///
/// Of [`PaymentState::RefundDue`] it is the list of the money that is still to be sent back: so a confirmed payment is in it
/// too, if a refund of a part of it failed. It says `confirmed` none the less, and is in that list as well.
///
/// Keyset pages: payments that come or go between two pages make no other one appear twice or not at all. Locks nothing;
/// one round trip.
///
/// A row that cannot be read is left out, logged and counted; the page then has fewer, and the next one goes on after it.
///
/// # Errors
/// Only those that every operation has.
pub async fn list_payments(
    db: &Db,
    state: PaymentState,
    limit: PageLimit,
    after: Option<PaymentCursor>,
) -> Result<PaymentPage, Error> {
    let after = after.unwrap_or_else(PaymentCursor::start);
    // One more than is asked for tells whether there is a next page.
    let more = limit.get() + 1;
    let values: Values<'_> = &[&state.as_str(), &after.created_at, &after.provider, &after.payment_id, &more];
    let rows = match state {
        PaymentState::RefundDue => db.run(&LIST_DUE, &values[1..], Repeat::Safe).await?,
        PaymentState::Disputed => db.run(&LIST_DISPUTED, &values[1..], Repeat::Safe).await?,
        PaymentState::Pending
        | PaymentState::Failed
        | PaymentState::Confirmed
        | PaymentState::Refunded
        | PaymentState::Unclaimed => db.run(&LIST_PAYMENTS, values, Repeat::Safe).await?,
    };
    let (payments, last) = row::page(&rows, limit, &["provider", "payment_id"], row::payment);
    Ok(PaymentPage { payments, next: last.and_then(|row| cursor(row).ok()) })
}

/// After this payment. One whose time is none that there is comes after all others: then there is no next page.
fn cursor(row: &Row) -> Result<PaymentCursor, Error> {
    Ok(PaymentCursor {
        created_at: row::get(row, "created_at")?,
        provider: row::get(row, "provider")?,
        payment_id: row::get(row, "payment_id")?,
    })
}
