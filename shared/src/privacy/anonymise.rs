//! Take the names out of a show's bookings.

use tokio_postgres::types::Type;
use uuid::Uuid;

use super::DueShow;
use crate::{
    Error,
    platform::db::{Db, Repeat, Statement, Values, row},
};

static ANONYMISE_BOOKINGS: Statement =
    Statement { sql: include_str!("anonymise.sql"), types: &[Type::INT8, Type::UUID, Type::INT8] };

/// Bookings of one page at most. 1,000 take a tenth of a second, for which they are locked.
const PAGE: i64 = 1_000;

/// What became of a page of a show's bookings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anonymised {
    /// Bookings that were anonymised.
    pub bookings: u64,
    /// Bookings that still have a name: pending ones, and those that somebody had locked.
    pub left: u64,
    /// Where the next page begins; `None`: this was past the last one.
    pub last: Option<Uuid>,
}

/// Anonymises the next 1,000 bookings of the show after `after`, by their ids: the name becomes `(erased)`, holder and idempotency
/// key go, and so do the payloads of their payments' events. A booking that is pending is left alone: somebody holds it. What
/// payments do to a booking, they do to an anonymised one.
///
/// Locks those of them that nobody else has locked, then their events. One round trip.
///
/// # Errors
/// Only those that every operation has; then none was changed.
pub async fn anonymise(db: &Db, show: DueShow, after: Option<Uuid>) -> Result<Anonymised, Error> {
    let values: Values<'_> = &[&show.id().get(), &after.unwrap_or_else(Uuid::nil), &PAGE];
    let rows = db.run(&ANONYMISE_BOOKINGS, values, Repeat::Safe).await?;
    let row = row::only(&rows)?;
    Ok(Anonymised {
        bookings: row::count(row, "anonymised")?,
        left: row::count(row, "left")?,
        last: row::get(row, "last")?,
    })
}
