//! Make a show.

use jiff::Timestamp;
use tokio_postgres::types::Type;

use super::row;
use crate::{
    Error,
    db::{Db, Repeat, Statement},
    model::{Pools, SeatCount, Show, ShowName, TotalSeats},
};

/// A show to be made.
#[derive(Clone, Debug)]
pub struct NewShow {
    /// What it is called.
    pub name: ShowName,
    /// When it starts; it is sold until then.
    pub start_time: Timestamp,
    /// Seats in all.
    pub total_seats: TotalSeats,
    /// Seats of one booking at most.
    pub max_seats_per_booking: SeatCount,
    /// Pool rows to spread the seats over.
    pub pools: Pools,
}

/// Makes a show with all its seats free.
///
/// Locks nothing that others wait for. One round trip. After [`Error::Unavailable`] the show may exist: look before
/// you make it again.
///
/// # Errors
/// [`Error::ShowInPast`]
pub async fn create_show(db: &Db, new: &NewShow) -> Result<Show, Error> {
    let statement = Statement {
        sql: include_str!("create_show.sql"),
        parameters: &[
            (&new.name.as_str(), Type::TEXT),
            (&new.start_time, Type::TIMESTAMPTZ),
            (&new.total_seats.get(), Type::INT4),
            (&new.max_seats_per_booking.get(), Type::INT4),
            (&new.pools.get(), Type::INT4),
        ],
    };
    let rows = db.run(statement, Repeat::Unsafe).await?;
    row::show(rows.first().ok_or(Error::ShowInPast)?)
}
