//! Read a page of the events that were not understood.

use tokio_postgres::types::Type;

use crate::{
    Error,
    page::{Page, PageLimit},
    payments::{EventCursor, KeptEvent},
    platform::db::{Db, Repeat, Statement, Values},
};

static LIST_UNREADABLE: Statement = Statement {
    sql: include_str!("list_unreadable.sql"),
    types: &[Type::TIMESTAMPTZ, Type::TEXT, Type::TEXT, Type::INT8],
};

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
pub async fn list_unreadable(
    db: &Db,
    limit: PageLimit,
    after: Option<EventCursor>,
) -> Result<Page<KeptEvent, EventCursor>, Error> {
    let after = after.unwrap_or_else(EventCursor::start);
    let values: Values<'_> = &[&after.received_at, &after.provider, &after.event_id, &limit.one_more()];
    let rows = db.run(&LIST_UNREADABLE, values, Repeat::Safe).await?;
    Ok(Page::read(&rows, limit, &["provider", "event_id"], KeptEvent::from_row, EventCursor::from_row))
}
