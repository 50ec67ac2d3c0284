//! Mark a show as anonymised.

use tokio_postgres::types::Type;

use super::DueShow;
use crate::{
    Error,
    platform::db::{Db, Repeat, Statement},
};

static MARK_ANONYMISED: Statement = Statement { sql: include_str!("mark_anonymised.sql"), types: &[Type::INT8] };

/// Marks a show whose bookings were all anonymised. It needs no second look: a show that has started gets no more
/// bookings.
///
/// Locks the show. One round trip.
///
/// # Errors
/// Only the errors that every operation can return.
pub async fn mark_anonymised(db: &Db, show: DueShow) -> Result<(), Error> {
    db.run(&MARK_ANONYMISED, &[&show.id().get()], Repeat::Safe).await?;
    Ok(())
}
