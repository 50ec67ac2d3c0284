//! Lists the events that were not understood.

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

/// Reads a page of the events that have a valid signature and were not understood, in the order of arrival, after
/// `after`.
///
/// Keyset pages: events that come or go between two pages do not make another one appear twice or not at all. Takes no
/// locks; one round trip.
///
/// A row that cannot be read is skipped, logged and counted: the page is then shorter, and the next page continues
/// after the row.
///
/// # Errors
/// Only the errors that every operation can return.
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
