//! End the holds whose message never came.

use tokio_postgres::types::Type;

use super::row;
use crate::{
    Error,
    db::{Db, Repeat, Statement},
};

static SWEEP: Statement = Statement {
    sql: concat!(include_str!("sweep.sql"), include_str!("release.sql"), include_str!("sweep_answer.sql")),
    types: &[Type::INT8],
};

/// Bookings of one sweep at most. 1,000 take some tens of milliseconds, for which their pools are locked.
pub const MAX_BATCH: u16 = 1_000;

/// Expires at most [`MAX_BATCH`] holds that are due, the oldest first, and says how many. Fewer than a full batch means
/// that there are no more for now.
///
/// Locks bookings that nobody else has locked, then the pools that their seats go to. One round trip.
///
/// # Errors
/// Only those that every operation has; then none was changed.
pub async fn sweep(db: &Db) -> Result<u64, Error> {
    let rows = db.run(&SWEEP, &[&i64::from(MAX_BATCH)], Repeat::Safe).await?;
    let expired: i64 = row::get(row::only(&rows)?, "expired")?;
    u64::try_from(expired).map_err(|e| Error::Internal(e.into()))
}
