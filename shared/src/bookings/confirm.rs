//! Confirm a hold.

use tokio_postgres::types::Type;

use super::{Booking, Changed};
use crate::{
    Error,
    bookings::{BookingId, BookingStatus, FailureReason},
    platform::db::{Db, Repeat, Statement, row},
};

static CONFIRM: Statement = Statement {
    sql: concat!(include_str!("confirm.sql"), include_str!("answer.sql")),
    types: &[Type::INT8, Type::UUID],
};

/// Confirms a pending booking whose hold has not ended. Repeating the call gives the same answer.
///
/// Locks the booking. The database's clock decides, read after the lock is held. One round trip.
///
/// # Errors
/// [`Error::BookingNotFound`], [`Error::BookingExpired`], [`Error::BookingCancelled`], [`Error::BookingRefunded`]
pub async fn confirm(db: &Db, id: BookingId) -> Result<Changed, Error> {
    let rows = db.run(&CONFIRM, &[&id.show_id().get(), &id.uuid()], Repeat::Safe).await?;
    let row = rows.first().ok_or(Error::BookingNotFound)?;
    let booking = Booking::from_row(row)?;
    match booking.status() {
        BookingStatus::Confirmed => Ok(Changed { booking, changed: row::get(row, "changed")? }),
        // The hold has ended; the expiry releases its seats a moment later.
        BookingStatus::Pending | BookingStatus::Failed(FailureReason::Expired) => Err(Error::BookingExpired),
        BookingStatus::Failed(FailureReason::Cancelled) => Err(Error::BookingCancelled),
        BookingStatus::Failed(FailureReason::Refunded) => Err(Error::BookingRefunded),
    }
}
