//! Read a page of the events that were not understood.

use tokio_postgres::{Row, types::Type};

use super::row;
use crate::{
    Error,
    db::{Db, Repeat, Statement, Values},
    model::{EventCursor, KeptEvent, PageLimit},
};

static LIST_UNREADABLE: Statement = Statement {
    sql: include_str!("list_unreadable.sql"),
    types: &[Type::TIMESTAMPTZ, Type::TEXT, Type::TEXT, Type::INT8],
};

/// Some of the events, the first to come first.
#[derive(Clone, Debug)]
pub struct EventPage {
    /// The events.
    pub events: Vec<KeptEvent>,
    /// Where the next page begins, if there is one.
    pub next: Option<EventCursor>,
}

/// A page of the events whose signature was good and whose body was not understood, by the time at which they came,
/// after `after`.
///
/// Keyset pages: events that come or go between two pages make no other one appear twice or not at all. Locks nothing;
/// one round trip.
///
/// A row that cannot be read is left out, logged and counted; the page then has fewer, and the next one goes on after it.
///
/// # Errors
/// Only those that every operation has.
pub async fn list_unreadable(db: &Db, limit: PageLimit, after: Option<EventCursor>) -> Result<EventPage, Error> {
    let after = after.unwrap_or_else(EventCursor::start);
    // One more than is asked for tells whether there is a next page.
    let values: Values<'_> = &[&after.received_at, &after.provider, &after.event_id, &(limit.get() + 1)];
    let rows = db.run(&LIST_UNREADABLE, values, Repeat::Safe).await?;
    let (events, last) = row::page(&rows, limit, &["provider", "event_id"], row::event);
    Ok(EventPage { events, next: last.and_then(|row| cursor(row).ok()) })
}

/// After this event. One whose time is none that there is comes after all others: then there is no next page.
fn cursor(row: &Row) -> Result<EventCursor, Error> {
    Ok(EventCursor {
        received_at: row::get(row, "received_at")?,
        provider: row::get(row, "provider")?,
        event_id: row::get(row, "event_id")?,
    })
}
