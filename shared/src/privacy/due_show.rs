//! Find the shows whose bookings are due to be anonymised.

use tokio_postgres::types::Type;

use crate::{
    Error,
    platform::db::{Db, Repeat, Statement, Values, row},
    privacy::Retention,
    shows::{ShowCursor, ShowId},
};

static DUE_SHOW: Statement =
    Statement { sql: include_str!("due_show.sql"), types: &[Type::INT4, Type::TIMESTAMPTZ, Type::INT8] };

/// A show that started so long ago that its bookings must be anonymised. Only the database creates this value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DueShow(ShowCursor);

impl DueShow {
    /// The show's id.
    pub fn id(self) -> ShowId {
        ShowId::from_row(self.0.id)
    }
}

/// Returns the next show after `after`, by start time, that started longer ago than the retention period and is not
/// marked as anonymised. `None`: there are no more.
///
/// Locks nothing; one round trip.
///
/// # Errors
/// Only the errors that every operation can return.
pub async fn due_show(db: &Db, retention: Retention, after: Option<DueShow>) -> Result<Option<DueShow>, Error> {
    let ShowCursor { start_time, id } = after.map_or(ShowCursor::START, |show| show.0);
    let values: Values<'_> = &[&retention.hours(), &start_time, &id];
    let rows = db.run(&DUE_SHOW, values, Repeat::Safe).await?;
    let due = |row| Ok(DueShow(ShowCursor { start_time: row::get(row, "start_time")?, id: row::get(row, "id")? }));
    rows.first().map(due).transpose()
}
