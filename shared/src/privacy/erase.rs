//! Erase a subject's personal data.

use tokio_postgres::types::Type;

use crate::{
    Error,
    holders::{Holder, Subject},
    platform::db::{Db, Repeat, Statement, row},
};

static ERASE_SUBJECT: Statement = Statement { sql: include_str!("erase.sql"), types: &[Type::TEXT, Type::INT8] };

/// Largest batch, in bookings.
pub const MAX_ERASED: u16 = 1_000;

/// Anonymises at most [`MAX_ERASED`] of the subject's bookings, in any state, and returns how many. Fewer than a full
/// batch means that none are left. The payloads of their payments' events are removed too, including those of events
/// that arrive later.
///
/// A hold continues without a name: it ends at its time, and a payment in progress confirms it. But nobody can see or
/// cancel it any more, and it no longer counts towards its holder's limits.
///
/// Locks the bookings, then their events. One round trip.
///
/// # Errors
/// Only the errors that every operation can return; nothing was changed.
pub async fn erase(db: &Db, subject: &Subject) -> Result<u64, Error> {
    let holder = Holder::of_subject(subject);
    let rows = db.run(&ERASE_SUBJECT, &[&holder.as_str(), &i64::from(MAX_ERASED)], Repeat::Safe).await?;
    Ok(row::count(row::only(&rows)?, "erased")?)
}
