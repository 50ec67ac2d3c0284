//! Change how many pools a show uses.

use tokio_postgres::types::Type;

use super::row;
use crate::{
    Error,
    db::{Db, Repeat, Statement},
    model::{Pools, Show, ShowId},
};

/// Sets how many pools a show's free seats are spread over, and spreads them anew, while it is sold. Repeating it is the
/// same answer.
///
/// Locks the show, then all of its pools. Bookings wait for it, some milliseconds, and then look again; none is refused
/// because of it. One round trip.
///
/// # Errors
/// [`Error::ShowNotFound`]
pub async fn set_pools(db: &Db, id: ShowId, pools: Pools) -> Result<Show, Error> {
    let (id, pools) = (id.get(), pools.get());
    let one = &[(&id as _, Type::INT8)];
    let both = &[(&id as _, Type::INT8), (&pools as _, Type::INT4)];
    let rows = db
        .run_all(
            &[
                Statement { sql: include_str!("set_pools.sql"), parameters: both },
                Statement { sql: include_str!("lock_pools.sql"), parameters: one },
                Statement { sql: include_str!("spread_seats.sql"), parameters: both },
                Statement { sql: include_str!("get_show.sql"), parameters: one },
            ],
            Repeat::Safe,
        )
        .await?;
    row::show(rows.first().ok_or(Error::ShowNotFound)?)
}
