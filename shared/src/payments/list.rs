//! Lists payments.

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

/// The types of `$1` to `$4` of the states that have a statement of their own.
const AFTER: [Type; 4] = [Type::TIMESTAMPTZ, Type::TEXT, Type::TEXT, Type::INT8];

static LIST_DUE: Statement = Statement { sql: include_str!("list_due.sql"), types: &AFTER };

static LIST_DISPUTED: Statement = Statement { sql: include_str!("list_disputed.sql"), types: &AFTER };

/// Reads a page of the payments in a state, oldest first, after `after`. The order is by when we first heard of a
/// payment.
///
/// [`PaymentState::RefundDue`] lists all money that is still to be refunded. So it also lists a confirmed payment of
/// which a partial refund failed; that payment still shows `confirmed`, and is in that list too.
///
/// Keyset pages: payments that come or go between two pages do not make another one appear twice or not at all. Takes
/// no locks; one round trip.
///
/// A row that cannot be read is skipped, logged and counted: the page is then shorter, and the next page continues
/// after the row.
///
/// # Errors
/// Only the errors that every operation can return.
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
