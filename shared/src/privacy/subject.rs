//! What is kept about somebody, as they or who acts for them may ask to see it.

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

/// A booking of a subject, with all else that belongs to it. Personal data.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct SubjectBooking {
    /// The booking.
    pub booking: Booking,
    /// The key that its client chose.
    pub idempotency_key: Option<String>,
    /// Its payments, the latest first.
    pub payments: Vec<Payment>,
    /// What providers sent about it, the latest first.
    pub events: Vec<SubjectEvent>,
    /// There are no more payments and events of it than these, and all of them could be read.
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
    /// Whose it is.
    pub provider: Provider,
    /// Its id.
    pub event_id: String,
    /// What the provider calls it.
    #[serde(rename = "type")]
    pub event_type: String,
    /// When it happened, by the provider's clock.
    pub occurred_at: Timestamp,
    /// When it came, by ours.
    pub received_at: Timestamp,
    /// Its body.
    pub payload: String,
}

impl fmt::Debug for SubjectEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SubjectEvent({} {})", self.provider, self.event_id)
    }
}

/// Where a page of a subject's bookings ended: at this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubjectCursor(BookingId);

impl SubjectCursor {
    /// After what is in this row.
    pub(super) fn from_row(row: &Row) -> Result<Self, Error> {
        Ok(Self(BookingId::of_row(row)?))
    }

    /// After this booking.
    pub(crate) fn after(booking: BookingId) -> Self {
        Self(booking)
    }

    /// The key that the page begins after.
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
