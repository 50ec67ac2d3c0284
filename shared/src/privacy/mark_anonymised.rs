//! Remember that a show has no names any more.

use tokio_postgres::types::Type;

use super::DueShow;
use crate::{
    Error,
    platform::db::{Db, Repeat, Statement},
};

static MARK_ANONYMISED: Statement = Statement { sql: include_str!("mark_anonymised.sql"), types: &[Type::INT8] };

/// Marks a show of which every page was anonymised and nothing was left: a show that has started gets no more bookings.
///
/// Locks the show. One round trip.
///
/// # Errors
/// Only those that every operation has.
pub async fn mark_anonymised(db: &Db, show: DueShow) -> Result<(), Error> {
    db.run(&MARK_ANONYMISED, &[&show.id().get()], Repeat::Safe).await?;
    Ok(())
}
