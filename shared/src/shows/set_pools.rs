//! Change the number of pools of a show.

use tokio_postgres::types::Type;

use super::get::GET_SHOW;
use crate::{
    Error,
    inventory::{LOCK_POOLS, Pools, SPREAD_SEATS},
    platform::db::{Db, Repeat, Statement, Values},
    shows::{Show, ShowId},
};

static SET_POOLS: Statement = Statement { sql: include_str!("set_pools.sql"), types: &[Type::INT8, Type::INT4] };

/// Sets how many pools a show's free seats are spread over and spreads them again, also while the show is being sold.
/// Repeating the call gives the same answer.
///
/// Locks the show, then all of its pools. Bookings wait some milliseconds for this and then search again; none is
/// refused because of it. One round trip.
///
/// # Errors
/// [`Error::ShowNotFound`]
pub async fn set_pools(db: &Db, id: ShowId, pools: Pools) -> Result<Show, Error> {
    let (id, pools) = (id.get(), pools.get());
    let statements: &[(_, Values<'_>)] =
        &[(&SET_POOLS, &[&id, &pools]), (&LOCK_POOLS, &[&id]), (&SPREAD_SEATS, &[&id, &pools]), (&GET_SHOW, &[&id])];
    let rows = db.run_all(statements, Repeat::Safe).await?;
    Show::from_row(rows.first().ok_or(Error::ShowNotFound)?)
}
