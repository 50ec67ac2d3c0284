//! Look who keeps the server from cleaning up.

use crate::{
    Error,
    platform::db::{Db, Repeat, Statement, row},
};

static OLDEST_SNAPSHOT: Statement = Statement { sql: include_str!("oldest_snapshot.sql"), types: &[] };

/// What may still see old versions of rows, so that they must stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldSnapshot {
    /// The transactions that began since: as many rows as they changed have an old version each.
    pub age: u64,
    /// Who it is: a process with its role and program, a replication slot, or a prepared transaction.
    pub holder: String,
}

/// The oldest snapshot or transaction there is; `None`: there is none.
///
/// Each booking and each release leaves an old version of its pool behind, which the next reader of the pool clears away, unless
/// somebody may still see it: a backup, a report, a replica, a session that somebody forgot. Then pools grow, and all that reads
/// them slows down, until it ends.
///
/// Locks nothing. One round trip.
///
/// # Errors
/// Only those that every operation has.
pub async fn oldest_snapshot(db: &Db) -> Result<Option<OldSnapshot>, Error> {
    let rows = db.run(&OLDEST_SNAPSHOT, &[], Repeat::Safe).await?;
    rows.first()
        .map(|row| Ok(OldSnapshot { age: row::count(row, "age")?, holder: row::get(row, "holder")? }))
        .transpose()
}
