//! Forget who somebody was.

use tokio_postgres::types::Type;

use crate::{
    Error,
    holders::{Holder, Subject},
    platform::db::{Db, Repeat, Statement, row},
};

static ERASE_SUBJECT: Statement = Statement { sql: include_str!("erase.sql"), types: &[Type::TEXT, Type::INT8] };

/// Bookings of one batch at most.
pub const MAX_ERASED: u16 = 1_000;

/// Anonymises at most [`MAX_ERASED`] of the subject's bookings, in any state, and says how many. Fewer than a full batch means
/// that there are no more. The payloads of their payments' events go with them, and those of events that are yet to come.
///
/// A hold goes on without a name: it ends when it would have ended, and a payment that is under way confirms it. But it is
/// nobody's to see any more, and nobody's to give back, and it no longer counts for its holder's limits.
///
/// Locks the bookings, then their events. One round trip.
///
/// # Errors
/// Only those that every operation has; then none was changed.
pub async fn erase(db: &Db, subject: &Subject) -> Result<u64, Error> {
    let holder = Holder::of_subject(subject);
    let rows = db.run(&ERASE_SUBJECT, &[&holder.as_str(), &i64::from(MAX_ERASED)], Repeat::Safe).await?;
    Ok(row::count(row::only(&rows)?, "erased")?)
}
