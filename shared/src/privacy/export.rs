//! Export the data stored about a subject.

use tokio_postgres::{Row, types::Type};
use uuid::Uuid;

use crate::{
    Error,
    bookings::Booking,
    holders::{Holder, Subject},
    page::{Page, PageLimit, readable},
    payments::{Payload, Payment, Provider},
    platform::db::{Db, Repeat, Statement, Values, row},
    privacy::{SubjectBooking, SubjectCursor, SubjectEvent},
};

static SUBJECT_BOOKINGS: Statement = Statement {
    sql: concat!(include_str!("export_bookings.sql"), include_str!("../bookings/answer.sql")),
    types: &[Type::TEXT, Type::INT8, Type::UUID, Type::INT8],
};

static SUBJECT_PAYMENTS: Statement =
    Statement { sql: include_str!("export_payments.sql"), types: &[Type::INT8_ARRAY, Type::UUID_ARRAY, Type::INT8] };

static SUBJECT_EVENTS: Statement = Statement {
    sql: include_str!("export_events.sql"),
    types: &[Type::INT8_ARRAY, Type::UUID_ARRAY, Type::INT8, Type::INT8],
};

/// Maximum number of payments, and of events, reported for one booking. Most bookings have one payment and two events.
const MAX_OF_ONE: usize = 10;

/// Maximum size of the payloads on one page, in bytes: as much as one booking may have, including the one event beyond
/// [`MAX_OF_ONE`] that is read, so that a page has at least one booking. JSON may take up to seven bytes for one: 5 MB
/// of the 6 MB that a Lambda may return.
const MAX_PAYLOADS: i64 = (MAX_OF_ONE as i64 + 1) * Payload::MAX_BYTES as i64;

/// Returns a page of the data stored about this subject, by booking: the booking, its idempotency key, its payments,
/// and what providers sent about it. If providers sent a lot, a page has fewer bookings than requested, but at least
/// one.
///
/// Pages are keyset pages: if bookings are added or removed between two pages, no other booking appears twice or is
/// skipped. Locks nothing; three round trips.
///
/// A row that cannot be read is left out, logged and counted. If it is a payment or an event, its booking is marked as
/// not complete.
///
/// # Errors
/// Only the errors that every operation can return.
pub async fn export(
    db: &Db,
    subject: &Subject,
    limit: PageLimit,
    after: Option<SubjectCursor>,
) -> Result<Page<SubjectBooking, SubjectCursor>, Error> {
    let holder = Holder::of_subject(subject);
    let (show_id, id) = after.map_or((0, Uuid::nil()), SubjectCursor::position);
    let values: Values<'_> = &[&holder.as_str(), &show_id, &id, &limit.one_more()];
    let rows = db.run(&SUBJECT_BOOKINGS, values, Repeat::Safe).await?;
    let mut page = Page::read(&rows, limit, &["show_id", "id"], read_booking, SubjectCursor::from_row);
    add_payments(db, &mut page.items).await?;
    if add_events(db, &mut page.items).await? {
        page.next = page.items.last().map(|last| SubjectCursor::after(last.booking.id()));
    }
    Ok(page)
}

fn read_booking(row: &Row) -> Result<SubjectBooking, Error> {
    let (booking, idempotency_key) = (Booking::from_row(row)?, row::get(row, "idempotency_key")?);
    Ok(SubjectBooking { booking, idempotency_key, payments: Vec::new(), events: Vec::new(), complete: true })
}

async fn add_payments(db: &Db, bookings: &mut [SubjectBooking]) -> Result<(), Error> {
    let (shows, ids) = keys(bookings);
    let values: Values<'_> = &[&shows, &ids, &(MAX_OF_ONE as i64 + 1)];
    for row in db.run(&SUBJECT_PAYMENTS, values, Repeat::Safe).await? {
        let booking = of_booking(bookings, &row)?;
        let has_room = booking.payments.len() < MAX_OF_ONE;
        let payment = if has_room { readable(&row, &["provider", "payment_id"], Payment::from_row) } else { None };
        booking.complete &= payment.is_some();
        booking.payments.extend(payment);
    }
    Ok(())
}

/// Adds the events, and removes the bookings whose events do not fit on the page. Returns whether it removed any.
async fn add_events(db: &Db, bookings: &mut Vec<SubjectBooking>) -> Result<bool, Error> {
    let (shows, ids) = keys(bookings);
    let values: Values<'_> = &[&shows, &ids, &(MAX_OF_ONE as i64 + 1), &MAX_PAYLOADS];
    for row in db.run(&SUBJECT_EVENTS, values, Repeat::Safe).await? {
        if row::get::<Option<&str>>(&row, "payload")?.is_none() {
            bookings.truncate(place(&row)?);
            return Ok(true);
        }
        let booking = of_booking(bookings, &row)?;
        let has_room = booking.events.len() < MAX_OF_ONE;
        let event = if has_room { readable(&row, &["provider", "event_id"], read_event) } else { None };
        booking.complete &= event.is_some();
        booking.events.extend(event);
    }
    Ok(false)
}

fn read_event(row: &Row) -> Result<SubjectEvent, Error> {
    Ok(SubjectEvent {
        provider: Provider::from_row(row)?,
        event_id: row::get(row, "event_id")?,
        event_type: row::get(row, "type")?,
        occurred_at: row::get(row, "occurred_at")?,
        received_at: row::get(row, "received_at")?,
        payload: row::get(row, "payload")?,
    })
}

fn keys(bookings: &[SubjectBooking]) -> (Vec<i64>, Vec<Uuid>) {
    bookings.iter().map(|b| (b.booking.id().show_id().get(), b.booking.id().uuid())).unzip()
}

/// The booking that a row belongs to.
fn of_booking<'a>(bookings: &'a mut [SubjectBooking], row: &Row) -> Result<&'a mut SubjectBooking, Error> {
    bookings
        .get_mut(place(row)?)
        .ok_or_else(|| Error::Internal("a row belongs to none of the bookings on the page".into()))
}

/// The booking's index on the page, from 0.
fn place(row: &Row) -> Result<usize, Error> {
    Ok((row::count(row, "of_booking")? as usize).saturating_sub(1))
}
