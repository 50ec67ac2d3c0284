//! End the holds whose message never came.

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
    sweep_except(db, &BTreeSet::new()).await
}

/// As [`sweep`], and leaves the holds of these shows alone: one that is damaged, so that its seats cannot be given back,
/// must not hold up the others.
///
/// # Errors
/// As for [`sweep`].
pub async fn sweep_except(db: &Db, shows: &BTreeSet<ShowId>) -> Result<u64, Error> {
    let rows = db.run(&SWEEP, &[&i64::from(MAX_BATCH), &ids(shows)], Repeat::Safe).await?;
    let expired: i64 = row::get(row::only(&rows)?, "expired")?;
    u64::try_from(expired).map_err(|e| Error::Internal(e.into()))
}

/// The holds that [`sweep_except`] would expire next, [`MAX_BATCH`] at most, by their shows: for
/// [`expire`](super::expire), show by show, when the sweep fails.
///
/// Locks nothing. One round trip.
///
/// # Errors
/// Only those that every operation has.
pub async fn due(db: &Db, except: &BTreeSet<ShowId>) -> Result<BTreeMap<ShowId, BTreeSet<BookingId>>, Error> {
    let rows = db.run(&DUE, &[&i64::from(MAX_BATCH), &ids(except)], Repeat::Safe).await?;
    let mut due: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for row in &rows {
        let show = ShowId::from_row(row::get(row, "show_id")?);
        due.entry(show).or_default().insert(BookingId::from_row(show, row::get(row, "id")?));
    }
    Ok(due)
}

fn ids(shows: &BTreeSet<ShowId>) -> Vec<i64> {
    shows.iter().map(|show| show.get()).collect()
}
