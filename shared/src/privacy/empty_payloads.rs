//! Remove old payloads of payment providers.

use tokio_postgres::types::Type;

use crate::{
    Error,
    platform::db::{Db, Repeat, Statement, Values, row},
    privacy::Retention,
};

static EMPTY_PAYLOADS: Statement =
    Statement { sql: include_str!("empty_payloads.sql"), types: &[Type::INT4, Type::INT8] };

/// Largest batch, in payloads: 64 MB if each has the maximum length, 5 MB at their typical length.
pub const MAX_PAYLOADS: u16 = 1_000;

/// Empties the payloads of at most [`MAX_PAYLOADS`] payment events received before the retention period, oldest first,
/// and returns how many. Fewer than a full batch means that none are left for now. What an event said about its payment
/// is kept.
///
/// Locks the events that nobody else has locked. One round trip.
///
/// # Errors
/// Only the errors that every operation can return; nothing was changed.
pub async fn empty_payloads(db: &Db, retention: Retention) -> Result<u64, Error> {
    let values: Values<'_> = &[&retention.hours(), &i64::from(MAX_PAYLOADS)];
    Ok(row::count(row::only(&db.run(&EMPTY_PAYLOADS, values, Repeat::Safe).await?)?, "emptied")?)
}
