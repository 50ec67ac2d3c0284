//! Read one show.

use tokio_postgres::types::Type;

use super::row;
use crate::{
    Error,
    db::{Db, Repeat, Statement},
    model::{Show, ShowId},
};

pub(super) static GET_SHOW: Statement = Statement { sql: include_str!("get_show.sql"), types: &[Type::INT8] };

/// The show and its seats at this moment. Locks nothing; one round trip.
///
/// # Errors
/// [`Error::ShowNotFound`]
pub async fn get_show(db: &Db, id: ShowId) -> Result<Show, Error> {
    let rows = db.run(&GET_SHOW, &[&id.get()], Repeat::Safe).await?;
    row::show(rows.first().ok_or(Error::ShowNotFound)?)
}
