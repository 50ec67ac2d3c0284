//! Read a page of shows.

use tokio_postgres::{Row, types::Type};

use super::row;
use crate::{
    Error,
    db::{Db, Repeat, Statement},
    model::{Cursor, PageLimit, Show, ShowId},
};

static LIST_SHOWS: Statement =
    Statement { sql: include_str!("list_shows.sql"), types: &[Type::TIMESTAMPTZ, Type::INT8, Type::INT8] };

/// Some of the upcoming shows, the soonest first.
#[derive(Clone, Debug)]
pub struct Page {
    /// The shows.
    pub shows: Vec<Show>,
    /// Where the next page begins, if there is one.
    pub next: Option<Cursor>,
}

/// A page of the shows that have not started, by start and id, after `after`.
///
/// Keyset pages: shows that come or go between two pages make no other show appear twice or not at all. Locks nothing;
/// one round trip.
///
/// A row that cannot be read is left out, logged and counted; the page then has fewer, and the next one goes on after it.
///
/// # Errors
/// Only those that every operation has.
pub async fn list_shows(db: &Db, limit: PageLimit, after: Option<Cursor>) -> Result<Page, Error> {
    let after = after.unwrap_or(Cursor::START);
    // One more than is asked for tells whether there is a next page.
    let rows = db.run(&LIST_SHOWS, &[&after.start_time, &after.id, &(limit.get() + 1)], Repeat::Safe).await?;
    let (shows, last) = row::page(&rows, limit, &["id"], row::show);
    Ok(Page { shows, next: last.and_then(|row| cursor(row).ok()) })
}

/// After this show. One whose start is no time that there is comes after all others: then there is no next page.
fn cursor(row: &Row) -> Result<Cursor, Error> {
    Ok(Cursor::after(row::get(row, "start_time")?, ShowId::from_row(row::get(row, "id")?)))
}
