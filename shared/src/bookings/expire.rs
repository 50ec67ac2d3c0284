//! Expire the holds of a batch of messages.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio_postgres::{Row, types::Type};

use crate::{
    Error,
    bookings::BookingId,
    platform::db::{Db, Repeat, Statement, row},
};

static EXPIRE: Statement = Statement {
    sql: concat!(
        include_str!("expire.sql"),
        include_str!("../inventory/release.sql"),
        include_str!("expire_answer.sql")
    ),
    types: &[Type::INT8_ARRAY, Type::UUID_ARRAY],
};

/// What happened to one booking of the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was due: this call expired it and released its seats.
    Expired,
    /// It is not due yet. It will be after this time, by the database's clock.
    NotDue(Duration),
    /// It was confirmed, cancelled or expired before this call.
    Ended,
    /// There is no such booking: its insert failed after its message was sent.
    Unknown,
}

/// Expires the bookings of `ids` that are due and releases their seats, all in one transaction. Repeating the call does
/// nothing.
///
/// Locks the bookings, then the pools that receive their seats, each in order. One round trip.
///
/// # Errors
/// Only the errors that every operation can return; nothing in the batch was changed.
pub async fn expire(db: &Db, ids: &BTreeSet<BookingId>) -> Result<BTreeMap<BookingId, Outcome>, Error> {
    let show_ids: Vec<i64> = ids.iter().map(|id| id.show_id().get()).collect();
    let uuids: Vec<uuid::Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let rows = db.run(&EXPIRE, &[&show_ids, &uuids], Repeat::Safe).await?;
    let mut outcomes: BTreeMap<_, _> = ids.iter().map(|id| (*id, Outcome::Unknown)).collect();
    for row in &rows {
        let (id, outcome) = read(row)?;
        outcomes.insert(id, outcome);
    }
    Ok(outcomes)
}

fn read(row: &Row) -> Result<(BookingId, Outcome), Error> {
    let id = BookingId::from_row(row)?;
    let outcome = match (row::get(row, "expired")?, row::get::<Option<f64>>(row, "due_in")?) {
        (true, _) => Outcome::Expired,
        (false, Some(seconds)) => {
            Outcome::NotDue(Duration::try_from_secs_f64(seconds).map_err(|e| Error::Internal(e.into()))?)
        }
        (false, None) => Outcome::Ended,
    };
    Ok((id, outcome))
}
