//! Rows to values.

use std::error::Error as _;

use serde::de::DeserializeOwned;
use tokio_postgres::{Row, types::FromSql};
use uuid::Uuid;

use crate::{
    Error,
    metrics::Counter,
    model::{
        Booking, BookingId, BookingStatus, EventId, Invalid, KeptEvent, Money, PageLimit, Payment, PaymentId, Provider,
        Show, ShowId,
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

/// What a page of a list has of these rows, of which one more than its limit tells that there is a next page; and the page's last
/// row, if there is.
///
/// The next page begins after that row whether it can be read or not. See [`readable`].
pub(super) fn page<'a, T>(
    rows: &'a [Row],
    limit: PageLimit,
    key: &[&str],
    read: impl Fn(&Row) -> Result<T, Error>,
) -> (Vec<T>, Option<&'a Row>) {
    let length = usize::try_from(limit.get()).unwrap_or(usize::MAX);
    let (rows, more) = rows.split_at(length.min(rows.len()));
    let things = rows.iter().filter_map(|row| readable(row, key, &read)).collect();
    (things, if more.is_empty() { None } else { rows.last() })
}

/// What a row of a list has. One that cannot be read takes no other down with it: it is left out, logged by the columns of its
/// key, and counted. The schema has no such row; a later version may have, or a hand made it.
pub(super) fn readable<T>(row: &Row, key: &[&str], read: impl Fn(&Row) -> Result<T, Error>) -> Option<T> {
    read(row)
        .inspect_err(|error| {
            let key: Vec<_> = key.iter().map(|column| told(row, column)).collect();
            tracing::error!(key = key.join(" "), cause = ?error.source(), "a row cannot be read, and is left out of a list");
            Counter::RowUnreadable.add(1);
        })
        .ok()
}

/// A column of a key, for the log.
fn told(row: &Row, column: &str) -> String {
    let number = || row.try_get::<_, i64>(column).map(|number| number.to_string());
    let id = |_| row.try_get::<_, Uuid>(column).map(|id| id.to_string());
    // With whatever is not to be seen in it escaped.
    let text = |_| row.try_get::<_, &str>(column).map(|text| text.escape_debug().to_string());
    number().or_else(id).or_else(text).unwrap_or_else(|_| "?".into())
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
        id: booking_id(row)?,
        user_name: get(row, "user_name")?,
        seats: get(row, "seats")?,
        status,
        created_at: get(row, "created_at")?,
        expires_at: get(row, "expires_at")?,
        settled_at: get(row, "settled_at")?,
        amount: money(row, "amount_minor")?,
    })
}

/// The id of the booking in a row with its columns.
pub(super) fn booking_id(row: &Row) -> Result<BookingId, Error> {
    Ok(BookingId::from_row(ShowId::from_row(get(row, "show_id")?), get(row, "id")?))
}

/// The show in a row with the columns of `shows` and `available_seats`.
pub(super) fn show(row: &Row) -> Result<Show, Error> {
    Ok(Show {
        id: ShowId::from_row(get(row, "id")?),
        name: get(row, "name")?,
        start_time: get(row, "start_time")?,
        total_seats: get(row, "total_seats")?,
        // NULL: it has no pools.
        available_seats: i32::try_from(get::<i64>(row, "available_seats")?).map_err(|e| Error::Internal(e.into()))?,
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
