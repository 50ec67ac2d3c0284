//! Cancel a hold.

use tokio_postgres::types::Type;

use super::{Booking, Changed};
use crate::{
    Error,
    bookings::{BookingId, BookingStatus, FailureReason},
    holders::{Holder, Subject},
    platform::db::{Db, Repeat, Statement, row},
};

static CANCEL: Statement = Statement {
    sql: concat!(
        include_str!("cancel.sql"),
        include_str!("../inventory/release.sql"),
        include_str!("cancel_answer.sql"),
        include_str!("answer.sql")
    ),
    types: &[Type::INT8, Type::UUID, Type::TEXT],
};

/// Cancels a pending booking whose hold has not ended, and releases its seats. Repeating the call gives the same
/// answer.
///
/// Only the subject that made a booking can cancel it; a booking without a subject can be cancelled by anyone who has
/// its id. After the hold has ended, only the expiry releases the seats. A payment that arrives after that is then a
/// late one, whether or not the buyer tried to cancel at the last moment.
///
/// Locks the booking, then one pool of its show. The database's clock decides, read after the lock is held. One round
/// trip.
///
/// # Errors
/// [`Error::BookingNotFound`], [`Error::BookingConfirmed`], [`Error::BookingExpired`], [`Error::BookingRefunded`];
/// nothing was changed.
pub async fn cancel(db: &Db, id: BookingId, subject: Option<&Subject>) -> Result<Changed, Error> {
    let holder = subject.map(Holder::of_subject);
    let holder = holder.as_ref().map(Holder::as_str);
    let rows = db.run(&CANCEL, &[&id.show_id().get(), &id.uuid(), &holder], Repeat::Safe).await?;
    let row = rows.first().ok_or(Error::BookingNotFound)?;
    let booking = Booking::from_row(row)?;
    match booking.status() {
        BookingStatus::Failed(FailureReason::Cancelled) => Ok(Changed { booking, changed: row::get(row, "changed")? }),
        // The hold has ended; the expiry releases its seats a moment later.
        BookingStatus::Pending | BookingStatus::Failed(FailureReason::Expired) => Err(Error::BookingExpired),
        BookingStatus::Failed(FailureReason::Refunded) => Err(Error::BookingRefunded),
        BookingStatus::Confirmed => Err(Error::BookingConfirmed),
    }
}
