//! Forget what payment providers sent long ago.

use tokio_postgres::types::Type;

use crate::{
    Error,
    platform::db::{Db, Repeat, Statement, Values, row},
    privacy::Retention,
};

static EMPTY_PAYLOADS: Statement =
    Statement { sql: include_str!("empty_payloads.sql"), types: &[Type::INT4, Type::INT8] };

/// Payloads of one batch at most: 64 MB if each is as long as it may be, 5 MB as they are.
pub const MAX_PAYLOADS: u16 = 1_000;

/// Empties the payloads of at most [`MAX_PAYLOADS`] payment events that came longer ago than names are kept, the oldest first,
/// and says how many. Fewer than a full batch means that there are no more for now. What an event said of its payment stays.
///
/// Locks events that nobody else has locked. One round trip.
///
/// # Errors
/// Only those that every operation has; then none was changed.
pub async fn empty_payloads(db: &Db, retention: Retention) -> Result<u64, Error> {
    let values: Values<'_> = &[&retention.hours(), &i64::from(MAX_PAYLOADS)];
    Ok(row::count(row::only(&db.run(&EMPTY_PAYLOADS, values, Repeat::Safe).await?)?, "emptied")?)
}
