//! Expire the holds whose message never came.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::types::Type;

use crate::{
    Error,
    bookings::BookingId,
    platform::db::{Db, Repeat, Statement, row},
    shows::ShowId,
};

static SWEEP: Statement = Statement {
    sql: concat!(include_str!("sweep.sql"), include_str!("../inventory/release.sql"), include_str!("sweep_answer.sql")),
    types: &[Type::INT8, Type::INT8_ARRAY],
};

static DUE: Statement = Statement { sql: include_str!("due.sql"), types: &[Type::INT8, Type::INT8_ARRAY] };

/// Largest batch of one sweep, in bookings. 1,000 take some tens of milliseconds, during which their pools are locked.
pub const MAX_BATCH: u16 = 1_000;

/// Expires at most [`MAX_BATCH`] holds that are due, oldest first, and returns how many. Fewer than a full batch means
/// that none are left for now.
///
/// Locks the bookings that nobody else has locked, then the pools that receive their seats. One round trip.
///
/// # Errors
/// Only the errors that every operation can return; nothing was changed.
pub async fn sweep(db: &Db) -> Result<u64, Error> {
    sweep_except(db, &BTreeSet::new()).await
}

/// Same as [`sweep`], but skips the holds of the given shows. A show so damaged that its seats cannot be released must
/// not block the others.
///
/// # Errors
/// As for [`sweep`].
pub async fn sweep_except(db: &Db, shows: &BTreeSet<ShowId>) -> Result<u64, Error> {
    let rows = db.run(&SWEEP, &[&i64::from(MAX_BATCH), &ids(shows)], Repeat::Safe).await?;
    let expired: i64 = row::get(row::only(&rows)?, "expired")?;
    u64::try_from(expired).map_err(|e| Error::Internal(e.into()))
}

/// Returns the holds that [`sweep_except`] would expire next, at most [`MAX_BATCH`], grouped by show. When a sweep
/// fails, [`expire`](fn@super::expire) can then end them show by show.
///
/// Locks nothing. One round trip.
///
/// # Errors
/// Only the errors that every operation can return.
pub async fn due(db: &Db, except: &BTreeSet<ShowId>) -> Result<BTreeMap<ShowId, BTreeSet<BookingId>>, Error> {
    let rows = db.run(&DUE, &[&i64::from(MAX_BATCH), &ids(except)], Repeat::Safe).await?;
    let mut due: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for row in &rows {
        let id = BookingId::from_row(row)?;
        due.entry(id.show_id()).or_default().insert(id);
    }
    Ok(due)
}

fn ids(shows: &BTreeSet<ShowId>) -> Vec<i64> {
    shows.iter().map(|show| show.get()).collect()
}
