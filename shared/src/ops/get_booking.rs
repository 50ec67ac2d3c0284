//! Read one booking.

use tokio_postgres::types::Type;

use super::row;
use crate::{
    Error,
    db::{Db, Repeat, Statement},
    model::{Booking, BookingId},
};

static GET_BOOKING: Statement = Statement { sql: include_str!("get_booking.sql"), types: &[Type::INT8, Type::UUID] };

/// The booking at this moment. Locks nothing; one round trip.
///
/// # Errors
/// [`Error::BookingNotFound`]
pub async fn get_booking(db: &Db, id: BookingId) -> Result<Booking, Error> {
    let rows = db.run(&GET_BOOKING, &[&id.show_id().get(), &id.uuid()], Repeat::Safe).await?;
    row::booking(rows.first().ok_or(Error::BookingNotFound)?)
}
