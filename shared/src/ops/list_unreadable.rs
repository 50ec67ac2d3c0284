//! Read a page of the events that were not understood.

use tokio_postgres::types::Type;

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
/// # Errors
/// Only those that every operation has.
pub async fn list_unreadable(db: &Db, limit: PageLimit, after: Option<EventCursor>) -> Result<EventPage, Error> {
    let after = after.unwrap_or_else(EventCursor::start);
    // One more than is asked for tells whether there is a next page.
    let values: Values<'_> = &[&after.received_at, &after.provider, &after.event_id, &(limit.get() + 1)];
    let rows = db.run(&LIST_UNREADABLE, values, Repeat::Safe).await?;
    let mut events = rows.iter().map(row::event).collect::<Result<Vec<_>, _>>()?;
    let next = if rows.len() as i64 > limit.get() {
        events.pop();
        events.last().map(EventCursor::after)
    } else {
        None
    };
    Ok(EventPage { events, next })
}
