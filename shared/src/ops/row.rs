//! Rows to values.

use tokio_postgres::{Row, types::FromSql};

use crate::{
    Error,
    model::{Booking, BookingId, BookingStatus, Show, ShowId},
};

/// A column's value.
///
/// # Errors
/// [`Error::Internal`] if the statement does not have it so: a defect.
pub(super) fn get<'a, T: FromSql<'a>>(row: &'a Row, column: &str) -> Result<T, Error> {
    row.try_get(column).map_err(|e| Error::Internal(e.into()))
}

/// The one row of a statement that always has one.
pub(super) fn only(rows: &[Row]) -> Result<&Row, Error> {
    match rows {
        [row] => Ok(row),
        rows => Err(Error::Internal(format!("a statement gave {} rows instead of one", rows.len()).into())),
    }
}

/// The booking in a row with all the columns of `bookings`.
pub(super) fn booking(row: &Row) -> Result<Booking, Error> {
    let status = BookingStatus::from_columns(get(row, "status")?, get(row, "failure_reason")?)
        .ok_or_else(|| Error::Internal("a booking's status is not known to this version".into()))?;
    Ok(Booking {
        id: BookingId::from_row(ShowId::from_row(get(row, "show_id")?), get(row, "id")?),
        user_name: get(row, "user_name")?,
        seats: get(row, "seats")?,
        status,
        created_at: get(row, "created_at")?,
        expires_at: get(row, "expires_at")?,
        settled_at: get(row, "settled_at")?,
    })
}

/// The show in a row with the columns of `shows` and `available_seats`.
pub(super) fn show(row: &Row) -> Result<Show, Error> {
    Ok(Show {
        id: ShowId::from_row(get(row, "id")?),
        name: get(row, "name")?,
        start_time: get(row, "start_time")?,
        total_seats: get(row, "total_seats")?,
        available_seats: get(row, "available_seats")?,
        max_seats_per_booking: get(row, "max_seats_per_booking")?,
        pools: get(row, "pools")?,
    })
}
