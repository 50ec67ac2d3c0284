//! Change the limits of one holder of a show.

use tokio_postgres::types::Type;

use super::get::GET_SHOW;
use crate::{
    Error,
    inventory::SeatLimit,
    platform::db::{Db, Repeat, Statement, Values},
    shows::{Show, ShowId},
};

static SET_HOLDER_LIMITS: Statement = Statement {
    sql: include_str!("set_holder_limits.sql"),
    types: &[Type::INT8, Type::BOOL, Type::INT4, Type::BOOL, Type::INT4],
};

/// A change of a limit: `None` leaves it unchanged, `Some(None)` resets it to the deployment's limit.
pub type LimitChange = Option<Option<SeatLimit>>;

/// Sets how many seats of a show one holder may hold unpaid, and have in total. Seats that a holder already has are not
/// affected. Repeating the call gives the same answer.
///
/// Locks the show, which bookings do not wait for. One round trip.
///
/// # Errors
/// [`Error::ShowNotFound`]
pub async fn set_holder_limits(
    db: &Db,
    id: ShowId,
    max_pending_seats: LimitChange,
    max_seats: LimitChange,
) -> Result<Show, Error> {
    let id = id.get();
    let columns = |change: LimitChange| (change.is_some(), change.flatten().map(SeatLimit::get));
    let ((sets_pending, max_pending), (sets_in_all, max_in_all)) = (columns(max_pending_seats), columns(max_seats));
    let statements: &[(_, Values<'_>)] =
        &[(&SET_HOLDER_LIMITS, &[&id, &sets_pending, &max_pending, &sets_in_all, &max_in_all]), (&GET_SHOW, &[&id])];
    let rows = db.run_all(statements, Repeat::Safe).await?;
    Show::from_row(rows.first().ok_or(Error::ShowNotFound)?)
}
