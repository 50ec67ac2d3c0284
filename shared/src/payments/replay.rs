//! Do what an event asks for that was not understood when it came.

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

/// An event of the inbox, and what was kept of its body.
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

/// Gives an event of the inbox that was not understood this meaning, and does what follows from it as
/// [`record_payment`](super::record()) would have; once: an event that is understood already is
/// [`Recorded::Repeated`]. The payload in the inbox stays as it is, unless the payment names no booking.
///
/// Locks the event, then as `record_payment`. One round trip.
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
