//! Read a page of shows.

use tokio_postgres::types::Type;

use crate::{
    Error,
    page::{Page, PageLimit},
    platform::db::{Db, Repeat, Statement},
    shows::{Show, ShowCursor},
};

static LIST_SHOWS: Statement =
    Statement { sql: include_str!("list.sql"), types: &[Type::TIMESTAMPTZ, Type::INT8, Type::INT8] };

/// A page of the shows that have not started, by start and id, after `after`.
///
/// Keyset pages: shows that come or go between two pages make no other show appear twice or not at all. Locks nothing;
/// one round trip.
///
/// A row that cannot be read is left out, logged and counted; the page then has fewer, and the next one goes on after it.
///
/// # Errors
/// Only those that every operation has.
pub async fn list(db: &Db, limit: PageLimit, after: Option<ShowCursor>) -> Result<Page<Show, ShowCursor>, Error> {
    let after = after.unwrap_or(ShowCursor::START);
    let rows = db.run(&LIST_SHOWS, &[&after.start_time, &after.id, &limit.one_more()], Repeat::Safe).await?;
    Ok(Page::read(&rows, limit, &["id"], Show::from_row, ShowCursor::from_row))
}
