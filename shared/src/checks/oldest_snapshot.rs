//! Find what keeps the server from cleaning up.

use crate::{
    Error,
    platform::db::{Db, Repeat, Statement, row},
};

static OLDEST_SNAPSHOT: Statement = Statement { sql: include_str!("oldest_snapshot.sql"), types: &[] };

/// A snapshot or transaction that may still see old row versions, so that they must stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldSnapshot {
    /// Number of transactions since it began. Each row that they changed has an old version that must stay.
    pub age: u64,
    /// What holds it: a process with its role and program, a replication slot, or a prepared transaction.
    pub holder: String,
}

/// Returns the oldest snapshot or transaction; `None` if there is none.
///
/// Each booking and each release leaves behind an old version of its pool row. The next reader of the pool removes it,
/// unless something may still see it: a backup, a report, a replica, a forgotten session. As long as that lasts, pools
/// grow and every statement that reads them slows down.
///
/// Locks nothing. One round trip.
///
/// # Errors
/// Only the errors that every operation can return.
pub async fn oldest_snapshot(db: &Db) -> Result<Option<OldSnapshot>, Error> {
    let rows = db.run(&OLDEST_SNAPSHOT, &[], Repeat::Safe).await?;
    rows.first()
        .map(|row| Ok(OldSnapshot { age: row::count(row, "age")?, holder: row::get(row, "holder")? }))
        .transpose()
}
