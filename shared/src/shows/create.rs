//! Make a show.

use jiff::Timestamp;
use tokio_postgres::types::Type;

use crate::{
    Error,
    inventory::{Pools, SeatCount, SeatLimit, TotalSeats},
    money::{Money, Price},
    platform::db::{Db, Repeat, Statement, Values, row},
    shows::{CreationKey, Show, ShowName},
};

static CREATE_SHOW: Statement = Statement {
    sql: include_str!("create.sql"),
    types: &[
        Type::TEXT,
        Type::TIMESTAMPTZ,
        Type::INT4,
        Type::INT4,
        Type::INT4,
        Type::INT8,
        Type::TEXT,
        Type::INT4,
        Type::INT4,
        Type::BYTEA,
        Type::BYTEA,
    ],
};

static CREATED_SHOW: Statement = Statement { sql: include_str!("created.sql"), types: &[Type::BYTEA, Type::BYTEA] };

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
    /// Seats that one holder may hold unpaid at a time. `None`: the deployment's own limit.
    pub max_pending_seats_per_holder: Option<SeatLimit>,
    /// Seats that one holder may have in all. `None`: the deployment's own limit.
    pub max_seats_per_holder: Option<SeatLimit>,
    /// Pool rows to spread the seats over.
    pub pools: Pools,
    /// What a seat costs. Without a price only an operator confirms its bookings.
    pub price: Option<Price>,
}

/// A show that this request made, or an earlier one with its key.
#[derive(Clone, Debug)]
pub struct CreatedShow {
    /// The show. One of an earlier request may have been changed and sold since.
    pub show: Show,
    /// An earlier request with this key made it, or an attempt of this one whose answer was lost.
    pub replayed: bool,
}

/// Makes a show with all its seats free.
///
/// Locks nothing that others wait for. One round trip. After [`Error::Unavailable`] the show may exist: look before
/// you make it again, or use [`create_once`].
///
/// # Errors
/// [`Error::ShowInPast`]
pub async fn create(db: &Db, new: &NewShow) -> Result<Show, Error> {
    insert(db, new, None).await?.ok_or(Error::ShowInPast)
}

/// Makes a show with all its seats free, once for each key: repeating it gives the same show, as it is by then.
///
/// Two at once with one key: the second waits for the first. One round trip, or two where there is a show of this key already.
///
/// # Errors
/// [`Error::ShowInPast`]; [`Error::IdempotencyKeyReused`]: the key made a show by another request.
pub async fn create_once(db: &Db, new: &NewShow, key: &CreationKey) -> Result<CreatedShow, Error> {
    if let Some(show) = insert(db, new, Some(key)).await? {
        return Ok(CreatedShow { show, replayed: false });
    }
    let rows = db.run(&CREATED_SHOW, &[&key.key(), &key.request()], Repeat::Safe).await?;
    let row = rows.first().ok_or(Error::ShowInPast)?;
    if !row::get(row, "same_request")? {
        return Err(Error::IdempotencyKeyReused);
    }
    Ok(CreatedShow { show: Show::from_row(row)?, replayed: true })
}

/// The show, unless it would start in the past or there is one of this key.
async fn insert(db: &Db, new: &NewShow, key: Option<&CreationKey>) -> Result<Option<Show>, Error> {
    let (name, start_time, pools) = (new.name.as_str(), new.start_time, new.pools.get());
    let (total_seats, max_seats) = (new.total_seats.get(), new.max_seats_per_booking.get());
    let price = new.price.as_ref().map(Price::money);
    let (price_minor, currency) = (price.map(Money::minor), price.map(|money| money.currency().as_str()));
    let max_pending_per_holder = new.max_pending_seats_per_holder.map(SeatLimit::get);
    let max_per_holder = new.max_seats_per_holder.map(SeatLimit::get);
    let values: Values<'_> = &[
        &name,
        &start_time,
        &total_seats,
        &max_seats,
        &pools,
        &price_minor,
        &currency,
        &max_pending_per_holder,
        &max_per_holder,
        &key.map(CreationKey::key),
        &key.map(CreationKey::request),
    ];
    let repeat = if key.is_some() { Repeat::Safe } else { Repeat::Unsafe };
    let rows = db.run(&CREATE_SHOW, values, repeat).await?;
    rows.first().map(Show::from_row).transpose()
}
