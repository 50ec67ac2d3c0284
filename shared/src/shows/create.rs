//! Create a show.

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

/// The data of a new show.
#[derive(Clone, Debug)]
pub struct NewShow {
    /// The show's name.
    pub name: ShowName,
    /// When the show starts. It is sold until then.
    pub start_time: Timestamp,
    /// Total number of seats.
    pub total_seats: TotalSeats,
    /// Maximum number of seats in one booking.
    pub max_seats_per_booking: SeatCount,
    /// Maximum number of unpaid seats that one holder may hold at a time. `None`: the deployment's limit.
    pub max_pending_seats_per_holder: Option<SeatLimit>,
    /// Maximum number of seats that one holder may have in total. `None`: the deployment's limit.
    pub max_seats_per_holder: Option<SeatLimit>,
    /// Number of pool rows to spread the seats over.
    pub pools: Pools,
    /// The price of a seat. Without a price, only an operator can confirm the show's bookings.
    pub price: Option<Price>,
}

/// A show that this request created, or an earlier request with the same key.
#[derive(Clone, Debug)]
pub struct CreatedShow {
    /// The show. If an earlier request created it, it may have been changed and sold since.
    pub show: Show,
    /// Whether the show existed already: an earlier request with this key created it, or an attempt of this request
    /// whose answer was lost.
    pub replayed: bool,
}

/// Creates a show with all its seats free.
///
/// Takes no lock that others wait for. One round trip. After [`Error::Unavailable`] the show may exist: check before
/// you create it again, or use [`create_once`].
///
/// # Errors
/// [`Error::ShowInPast`]
pub async fn create(db: &Db, new: &NewShow) -> Result<Show, Error> {
    insert(db, new, None).await?.ok_or(Error::ShowInPast)
}

/// Creates a show with all its seats free, once for each key. Repeating the call returns the same show in its current
/// state.
///
/// If two calls with one key run concurrently, the second waits for the first. One round trip, or two if the key's show
/// exists already.
///
/// # Errors
/// [`Error::ShowInPast`]; [`Error::IdempotencyKeyReused`]: a different request created a show with this key.
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

/// Inserts the show. `None` if it would start in the past or the key's show exists already.
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
