//! Read one show.

use tokio_postgres::types::Type;

use super::row;
use crate::{
    Error,
    db::{Db, Repeat, Statement},
    model::{Show, ShowId},
};

/// The show and its seats at this moment. Locks nothing; one round trip.
///
/// # Errors
/// [`Error::ShowNotFound`]
pub async fn get_show(db: &Db, id: ShowId) -> Result<Show, Error> {
    let parameters = &[(&id.get() as _, Type::INT8)];
    let rows = db.run(Statement { sql: include_str!("get_show.sql"), parameters }, Repeat::Safe).await?;
    row::show(rows.first().ok_or(Error::ShowNotFound)?)
}
