//! Anonymise the bookings of a show.

use tokio_postgres::types::Type;
use uuid::Uuid;

use super::DueShow;
use crate::{
    Error,
    platform::db::{Db, Repeat, Statement, Values, row},
};

static ANONYMISE_BOOKINGS: Statement =
    Statement { sql: include_str!("anonymise.sql"), types: &[Type::INT8, Type::UUID, Type::INT8] };

/// Largest page, in bookings. 1,000 take a tenth of a second, during which they are locked.
const PAGE: i64 = 1_000;

/// The result for one page of a show's bookings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anonymised {
    /// Number of bookings that were anonymised.
    pub bookings: u64,
    /// Number of bookings that still have a name: pending ones, and those that somebody had locked.
    pub left: u64,
    /// Where the next page begins. `None`: this page was past the last booking.
    pub last: Option<Uuid>,
}

/// Anonymises the next 1,000 bookings of the show after `after`, by id. The name becomes `(erased)`; the holder, the
/// idempotency key and the payloads of the payments' events are removed. A pending booking is left alone because
/// somebody holds it. Payments still change an anonymised booking as they would any other.
///
/// Locks the bookings that nobody else has locked, then their events. One round trip.
///
/// # Errors
/// Only the errors that every operation can return; nothing was changed.
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
