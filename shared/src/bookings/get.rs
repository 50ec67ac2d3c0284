//! Read one booking.

use tokio_postgres::types::Type;

use crate::{
    Error,
    bookings::{Booking, BookingId},
    holders::{Holder, Viewer},
    platform::db::{Db, Repeat, Statement},
};

static GET: Statement = Statement {
    sql: concat!(include_str!("get.sql"), include_str!("answer.sql")),
    types: &[Type::INT8, Type::UUID, Type::TEXT, Type::BOOL],
};

/// Returns the booking as it is now, if the viewer may see it. Locks nothing; one round trip.
///
/// # Errors
/// [`Error::BookingNotFound`]: it does not exist or belongs to somebody else. The caller cannot tell which.
pub async fn get(db: &Db, id: BookingId, viewer: Viewer<'_>) -> Result<Booking, Error> {
    let (holder, operator) = match viewer {
        Viewer::Bearer(subject) => (subject.map(Holder::of_subject), false),
        Viewer::Operator => (None, true),
    };
    let holder = holder.as_ref().map(Holder::as_str);
    let rows = db.run(&GET, &[&id.show_id().get(), &id.uuid(), &holder, &operator], Repeat::Safe).await?;
    Booking::from_row(rows.first().ok_or(Error::BookingNotFound)?)
}
