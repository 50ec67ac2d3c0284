//! Extend a hold while the buyer pays.

use std::time::Duration;

use tokio_postgres::types::Type;

use super::{Booking, Changed};
use crate::{
    Error,
    bookings::{BookingId, BookingStatus, FailureReason, Hold},
    holders::{Holder, Subject},
    platform::db::{Db, Repeat, Statement, Values, row},
};

static EXTEND: Statement = Statement {
    sql: concat!(include_str!("extend.sql"), include_str!("answer.sql")),
    types: &[Type::INT8, Type::UUID, Type::FLOAT8, Type::FLOAT8, Type::TEXT],
};

/// Extends the hold of a pending booking to `by` from now, but at most to `ceiling` after its creation. It never
/// shortens a hold: a hold that already lasts that long stays unchanged, without an error.
///
/// Only the subject that made a booking can extend it; a booking without a subject can be extended by anyone who has
/// its id.
///
/// The hold's message then arrives early and is sent back with the remaining delay.
///
/// Locks the booking. The database's clock decides, read after the lock is held. One round trip.
///
/// # Errors
/// [`Error::BookingNotFound`], [`Error::BookingExpired`], [`Error::BookingCancelled`], [`Error::BookingRefunded`],
/// [`Error::BookingConfirmed`]; nothing was changed.
pub async fn extend(
    db: &Db,
    id: BookingId,
    subject: Option<&Subject>,
    by: Hold,
    ceiling: Duration,
) -> Result<Changed, Error> {
    let (by, ceiling) = (by.duration().as_secs_f64(), ceiling.as_secs_f64());
    let holder = subject.map(Holder::of_subject);
    let holder = holder.as_ref().map(Holder::as_str);
    let values: Values<'_> = &[&id.show_id().get(), &id.uuid(), &by, &ceiling, &holder];
    let rows = db.run(&EXTEND, values, Repeat::Safe).await?;
    let row = rows.first().ok_or(Error::BookingNotFound)?;
    let booking = Booking::from_row(row)?;
    match booking.status() {
        // The hold has ended; the expiry releases its seats a moment later.
        BookingStatus::Pending if row::get(row, "over")? => Err(Error::BookingExpired),
        BookingStatus::Pending => Ok(Changed { booking, changed: row::get(row, "changed")? }),
        BookingStatus::Confirmed => Err(Error::BookingConfirmed),
        BookingStatus::Failed(FailureReason::Expired) => Err(Error::BookingExpired),
        BookingStatus::Failed(FailureReason::Cancelled) => Err(Error::BookingCancelled),
        BookingStatus::Failed(FailureReason::Refunded) => Err(Error::BookingRefunded),
    }
}
