//! Rows to values.

use serde::de::DeserializeOwned;
use tokio_postgres::{Row, types::FromSql};

use crate::{
    Error,
    model::{
        Booking, BookingId, BookingStatus, EventId, Invalid, KeptEvent, Money, Payment, PaymentId, Provider, Show,
        ShowId,
    },
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

/// A number that cannot be negative.
pub(super) fn count(row: &Row, column: &str) -> Result<u64, Error> {
    u64::try_from(get::<i64>(row, column)?).map_err(|e| Error::Internal(e.into()))
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
        amount: money(row, "amount_minor")?,
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
        max_pending_seats_per_holder: get(row, "max_pending_seats_per_holder")?,
        max_seats_per_holder: get(row, "max_seats_per_holder")?,
        pools: get(row, "pools")?,
        price: money(row, "price_minor")?,
    })
}

/// The payment in a row with the columns of `payments` and of the function `payment_report`.
pub(super) fn payment(row: &Row) -> Result<Payment, Error> {
    let show_id: Option<i64> = get(row, "show_id")?;
    let booking_id = show_id.zip(get(row, "booking_id")?);
    Ok(Payment {
        provider: provider(row)?,
        payment_id: PaymentId::try_from(get::<&str>(row, "payment_id")?).map_err(unknown)?,
        booking_id: booking_id.map(|(show_id, id)| BookingId::from_row(ShowId::from_row(show_id), id)),
        amount: money(row, "amount_minor")?,
        state: get::<&str>(row, "shown_state")?.parse().map_err(unknown)?,
        reason: get::<Option<&str>>(row, "reason")?.map(str::parse).transpose().map_err(unknown)?,
        refunded_minor: get(row, "refunded_minor")?,
        refund_due_minor: get(row, "refund_due_minor")?,
        refunds: json(row, "refunds")?,
        disputes: json(row, "disputes")?,
        created_at: get(row, "created_at")?,
        updated_at: get(row, "updated_at")?,
    })
}

/// The event in a row with the columns of `payment_events` but its payload, and `is_cut`.
pub(super) fn event(row: &Row) -> Result<KeptEvent, Error> {
    let booking_id = get::<Option<i64>>(row, "show_id")?.zip(get(row, "booking_id")?);
    let payment_id = get::<Option<&str>>(row, "payment_id")?;
    Ok(KeptEvent {
        provider: Provider::try_from(get::<&str>(row, "provider")?).map_err(unknown)?,
        event_id: EventId::try_from(get::<&str>(row, "event_id")?).map_err(unknown)?,
        event_type: get(row, "type")?,
        payment_id: payment_id.map(PaymentId::try_from).transpose().map_err(unknown)?,
        booking_id: booking_id.map(|(show_id, id)| BookingId::from_row(ShowId::from_row(show_id), id)),
        change: get(row, "change")?,
        outcome: get(row, "outcome")?,
        reason: get::<Option<&str>>(row, "reason")?.map(str::parse).transpose().map_err(unknown)?,
        occurred_at: get(row, "occurred_at")?,
        received_at: get(row, "received_at")?,
        is_cut: get(row, "is_cut")?,
    })
}

/// The value of a column that has JSON as text.
fn json<T: DeserializeOwned>(row: &Row, column: &str) -> Result<T, Error> {
    serde_json::from_str(get(row, column)?).map_err(|e| Error::Internal(e.into()))
}

/// The provider in a row.
pub(super) fn provider(row: &Row) -> Result<Provider, Error> {
    Provider::try_from(get::<&str>(row, "provider")?).map_err(unknown)
}

/// The amount in a column of minor units and the column `currency`, of which the schema has both or neither.
pub(super) fn money(row: &Row, minor: &str) -> Result<Option<Money>, Error> {
    let (minor, currency) = (get::<Option<i64>>(row, minor)?, get::<Option<&str>>(row, "currency")?);
    minor.zip(currency).map(|(minor, currency)| Money::new(minor, currency).map_err(unknown)).transpose()
}

/// The schema allows what this version does not know.
fn unknown(invalid: Invalid) -> Error {
    Error::Internal(format!("a column's value is not known to this version: it {invalid}").into())
}
