//! The data stored about a subject, as an export shows it.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use tokio_postgres::Row;

use crate::{
    Error,
    bookings::{Booking, BookingId},
    page::Position,
    payments::{Payment, Provider},
};

/// A booking of a subject and everything that belongs to it. Personal data.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct SubjectBooking {
    /// The booking.
    pub booking: Booking,
    /// The idempotency key that the client chose.
    pub idempotency_key: Option<String>,
    /// Its payments, latest first.
    pub payments: Vec<Payment>,
    /// What providers sent about it, latest first.
    pub events: Vec<SubjectEvent>,
    /// Whether all its payments and events are listed here.
    pub complete: bool,
}

impl fmt::Debug for SubjectBooking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SubjectBooking({})", self.booking.id())
    }
}

/// An event of a payment provider, as it was received. Personal data.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct SubjectEvent {
    /// The provider that sent the event.
    pub provider: Provider,
    /// The provider's id of the event.
    pub event_id: String,
    /// The provider's name for this type of event.
    #[serde(rename = "type")]
    pub event_type: String,
    /// When it happened, by the provider's clock.
    pub occurred_at: Timestamp,
    /// When it was received, by the database's clock.
    pub received_at: Timestamp,
    /// The event's body.
    pub payload: String,
}

impl fmt::Debug for SubjectEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SubjectEvent({} {})", self.provider, self.event_id)
    }
}

/// The end of a page of a subject's bookings: the last booking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubjectCursor(BookingId);

impl SubjectCursor {
    /// The position of this row.
    pub(super) fn from_row(row: &Row) -> Result<Self, Error> {
        Ok(Self(BookingId::from_row(row)?))
    }

    /// The position of this booking.
    pub(crate) fn after(booking: BookingId) -> Self {
        Self(booking)
    }

    /// The key that the next page begins after.
    pub(crate) fn position(self) -> (i64, Uuid) {
        (self.0.show_id().get(), self.0.uuid())
    }
}

impl Position for SubjectCursor {
    const LIST: &'static str = "subject";

    fn values(&self) -> Vec<String> {
        vec![self.0.to_string()]
    }

    fn of(values: &[&str]) -> Option<Self> {
        let [booking] = values else { return None };
        booking.parse().ok().map(Self)
    }
}
