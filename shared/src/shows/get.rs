//! Read one show.

use tokio_postgres::types::Type;

use crate::{
    Error,
    platform::db::{Db, Repeat, Statement},
    shows::{Show, ShowId},
};

pub(super) static GET_SHOW: Statement = Statement { sql: include_str!("get.sql"), types: &[Type::INT8] };

/// Returns the show with its current number of free seats. Locks nothing; one round trip.
///
/// # Errors
/// [`Error::ShowNotFound`]
pub async fn get(db: &Db, id: ShowId) -> Result<Show, Error> {
    let rows = db.run(&GET_SHOW, &[&id.get()], Repeat::Safe).await?;
    Show::from_row(rows.first().ok_or(Error::ShowNotFound)?)
}
