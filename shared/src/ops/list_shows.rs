//! Read a page of shows.

use tokio_postgres::types::Type;

use super::row;
use crate::{
    Error,
    db::{Db, Repeat, Statement},
    model::{Cursor, PageLimit, Show},
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
/// # Errors
/// Only those that every operation has.
pub async fn list_shows(db: &Db, limit: PageLimit, after: Option<Cursor>) -> Result<Page, Error> {
    let after = after.unwrap_or(Cursor::START);
    // One more than is asked for tells whether there is a next page.
    let rows = db.run(&LIST_SHOWS, &[&after.start_time, &after.id, &(limit.get() + 1)], Repeat::Safe).await?;
    let mut shows = rows.iter().map(row::show).collect::<Result<Vec<_>, _>>()?;
    let next = if rows.len() as i64 > limit.get() {
        shows.pop();
        shows.last().map(|show| Cursor::after(show.start_time, show.id))
    } else {
        None
    };
    Ok(Page { shows, next })
}
