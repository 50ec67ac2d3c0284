//! Give a hold back early.

use tokio_postgres::types::Type;

use super::{Booking, Settled};
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

/// Cancels a pending booking whose time is not over, which a subject's is for that subject only, and gives its seats back.
/// Repeating it is the same answer. Once its time is over it is the expiry that gives the seats back: so a payment that was under
/// way is a late one, whether the buyer gave up at the last moment or not.
///
/// Locks the booking, then one pool of its show. The database's clock decides, read after the lock is held. One round trip.
///
/// # Errors
/// [`Error::BookingNotFound`], [`Error::BookingConfirmed`], [`Error::BookingExpired`],
/// [`Error::BookingRefunded`]; then nothing was changed.
pub async fn cancel(db: &Db, id: BookingId, subject: Option<&Subject>) -> Result<Settled, Error> {
    let holder = subject.map(Holder::of_subject);
    let holder = holder.as_ref().map(Holder::as_str);
    let rows = db.run(&CANCEL, &[&id.show_id().get(), &id.uuid(), &holder], Repeat::Safe).await?;
    let row = rows.first().ok_or(Error::BookingNotFound)?;
    let booking = Booking::from_row(row)?;
    match booking.status() {
        BookingStatus::Failed(FailureReason::Cancelled) => Ok(Settled { booking, changed: row::get(row, "changed")? }),
        // Its time is over; who gives its seats back is the expiry, a moment later.
        BookingStatus::Pending | BookingStatus::Failed(FailureReason::Expired) => Err(Error::BookingExpired),
        BookingStatus::Failed(FailureReason::Refunded) => Err(Error::BookingRefunded),
        BookingStatus::Confirmed => Err(Error::BookingConfirmed),
    }
}
