//! List the upcoming shows.

use tokio_postgres::types::Type;

use crate::{
    Error,
    page::{Page, PageLimit},
    platform::db::{Db, Repeat, Statement},
    shows::{Show, ShowCursor},
};

static LIST_SHOWS: Statement =
    Statement { sql: include_str!("list.sql"), types: &[Type::TIMESTAMPTZ, Type::INT8, Type::INT8] };

/// Returns a page of the shows that have not started, by start time and id, after `after`.
///
/// Pages are keyset pages: if shows are added or removed between two pages, no other show appears twice or is skipped.
/// Locks nothing; one round trip.
///
/// A row that cannot be read is left out, logged and counted. The page is then shorter, and the next page continues
/// after it.
///
/// # Errors
/// Only the errors that every operation can return.
pub async fn list(db: &Db, limit: PageLimit, after: Option<ShowCursor>) -> Result<Page<Show, ShowCursor>, Error> {
    let after = after.unwrap_or(ShowCursor::START);
    let rows = db.run(&LIST_SHOWS, &[&after.start_time, &after.id, &limit.one_more()], Repeat::Safe).await?;
    Ok(Page::read(&rows, limit, &["id"], Show::from_row, ShowCursor::from_row))
}
