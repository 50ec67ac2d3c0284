//! Read one booking.

use tokio_postgres::types::Type;

use super::row;
use crate::{
    Error,
    db::{Db, Repeat, Statement},
    model::{Booking, BookingId},
};

/// The booking at this moment. Locks nothing; one round trip.
///
/// # Errors
/// [`Error::BookingNotFound`]
pub async fn get_booking(db: &Db, id: BookingId) -> Result<Booking, Error> {
    let parameters = &[(&id.show_id().get() as _, Type::INT8), (&id.uuid() as _, Type::UUID)];
    let rows = db.run(Statement { sql: include_str!("get_booking.sql"), parameters }, Repeat::Safe).await?;
    row::booking(rows.first().ok_or(Error::BookingNotFound)?)
}
