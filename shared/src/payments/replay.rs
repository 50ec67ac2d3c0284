//! Applies an event that was not understood when it arrived.

use tokio_postgres::types::Type;

use super::record::{Columns, Recorded, TYPES, read};
use crate::{
    Error,
    holders::HolderLimits,
    payments::{EventId, KeptEvent, Payload, PaymentEvent, Provider},
    platform::db::{Db, Repeat, Statement, row},
};

static GET_EVENT: Statement = Statement { sql: include_str!("get_event.sql"), types: &[Type::TEXT, Type::TEXT] };

static REPLAY_PAYMENT: Statement = Statement { sql: include_str!("replay.sql"), types: TYPES.split_at(17).0 };

/// Reads a stored event and what was kept of its body.
///
/// Locks nothing. One round trip.
///
/// # Errors
/// [`Error::EventNotFound`]
pub async fn get_event(db: &Db, provider: Provider, id: &EventId) -> Result<(KeptEvent, Payload), Error> {
    let rows = db.run(&GET_EVENT, &[&provider.as_str(), &id.as_str()], Repeat::Safe).await?;
    let row = rows.first().ok_or(Error::EventNotFound)?;
    Ok((KeptEvent::from_row(row)?, row::get::<&str>(row, "payload")?.into()))
}

/// Applies a stored event that was not understood when it arrived, as [`record`](super::record()) would have
/// applied `event`. An event that is already understood is [`Recorded::Repeated`]. The stored payload stays as it is,
/// unless the payment names no booking.
///
/// Locks the event, then as `record`. One round trip.
///
/// # Errors
/// [`Error::EventNotFound`]
pub async fn replay(db: &Db, event: &PaymentEvent, limits: &HolderLimits) -> Result<Recorded, Error> {
    let rows = db.run(&REPLAY_PAYMENT, &Columns::of(event, limits).values(), Repeat::Safe).await?;
    let row = row::only(&rows)?;
    if row::get::<Option<&str>>(row, "outcome")?.is_none() {
        return Err(Error::EventNotFound);
    }
    read(row)
}
