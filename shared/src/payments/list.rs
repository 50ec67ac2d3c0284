//! Read a page of payments.

use tokio_postgres::types::Type;

use crate::{
    Error,
    page::{Page, PageLimit},
    payments::{Payment, PaymentCursor, PaymentState},
    platform::db::{Db, Repeat, Statement, Values},
};

static LIST_PAYMENTS: Statement = Statement {
    sql: include_str!("list.sql"),
    types: &[Type::TEXT, Type::TIMESTAMPTZ, Type::TEXT, Type::TEXT, Type::INT8],
};

/// `$1` to `$4` of the lists that have a statement of their own.
const AFTER: [Type; 4] = [Type::TIMESTAMPTZ, Type::TEXT, Type::TEXT, Type::INT8];

static LIST_DUE: Statement = Statement { sql: include_str!("list_due.sql"), types: &AFTER };

static LIST_DISPUTED: Statement = Statement { sql: include_str!("list_disputed.sql"), types: &AFTER };

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
pub async fn list(
    db: &Db,
    state: PaymentState,
    limit: PageLimit,
    after: Option<PaymentCursor>,
) -> Result<Page<Payment, PaymentCursor>, Error> {
    let after = after.unwrap_or_else(PaymentCursor::start);
    let values: Values<'_> =
        &[&state.as_str(), &after.created_at, &after.provider, &after.payment_id, &limit.one_more()];
    let rows = match state {
        PaymentState::RefundDue => db.run(&LIST_DUE, &values[1..], Repeat::Safe).await?,
        PaymentState::Disputed => db.run(&LIST_DISPUTED, &values[1..], Repeat::Safe).await?,
        PaymentState::Pending
        | PaymentState::Failed
        | PaymentState::Confirmed
        | PaymentState::Refunded
        | PaymentState::Unclaimed => db.run(&LIST_PAYMENTS, values, Repeat::Safe).await?,
    };
    Ok(Page::read(&rows, limit, &["provider", "payment_id"], Payment::from_row, PaymentCursor::from_row))
}
