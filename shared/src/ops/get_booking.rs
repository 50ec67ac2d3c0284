//! Read one booking.

use tokio_postgres::types::Type;

use super::row;
use crate::{
    Error,
    db::{Db, Repeat, Statement},
    model::{Booking, BookingId, Holder, Viewer},
};

static GET_BOOKING: Statement =
    Statement { sql: include_str!("get_booking.sql"), types: &[Type::INT8, Type::UUID, Type::TEXT, Type::BOOL] };

/// The booking at this moment, as far as the viewer may see it. Locks nothing; one round trip.
///
/// # Errors
/// [`Error::BookingNotFound`]: there is none, or it is another's. The two are not told apart.
pub async fn get_booking(db: &Db, id: BookingId, viewer: Viewer<'_>) -> Result<Booking, Error> {
    let (holder, operator) = match viewer {
        Viewer::Bearer(subject) => (subject.map(Holder::of_subject), false),
        Viewer::Operator => (None, true),
    };
    let holder = holder.as_ref().map(Holder::as_str);
    let rows = db.run(&GET_BOOKING, &[&id.show_id().get(), &id.uuid(), &holder, &operator], Repeat::Safe).await?;
    row::booking(rows.first().ok_or(Error::BookingNotFound)?)
}
