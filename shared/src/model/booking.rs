//! Bookings.

use std::fmt;

use jiff::Timestamp;
use serde::{Serialize, Serializer, ser::SerializeStruct};

use super::{BookingId, Money, SeatCount, UserName};

/// Where a booking is in its life: `PENDING`, then once `CONFIRMED` or `FAILED`. Only a payment moves it on from there:
/// one that came late confirms an expired booking whose seats could be taken again, and a refund fails a confirmed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BookingStatus {
    /// Its seats are held until `expires_at`.
    Pending,
    /// Its seats are sold.
    Confirmed,
    /// Its seats were given back.
    Failed(FailureReason),
}

/// Why a booking failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureReason {
    /// Nobody confirmed it in time.
    Expired,
    /// The holder gave the seats back.
    Cancelled,
    /// It was paid and confirmed, and the money went back.
    Refunded,
}

impl BookingStatus {
    /// The pair of columns `status` and `failure_reason`, or `None` if the schema allows what this code does not know.
    pub(crate) fn from_columns(status: &str, failure_reason: Option<&str>) -> Option<Self> {
        match (status, failure_reason) {
            ("PENDING", None) => Some(Self::Pending),
            ("CONFIRMED", None) => Some(Self::Confirmed),
            ("FAILED", Some("expired")) => Some(Self::Failed(FailureReason::Expired)),
            ("FAILED", Some("cancelled")) => Some(Self::Failed(FailureReason::Cancelled)),
            ("FAILED", Some("refunded")) => Some(Self::Failed(FailureReason::Refunded)),
            _ => None,
        }
    }

    /// The pair of columns `status` and `failure_reason`.
    fn columns(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Pending => ("PENDING", None),
            Self::Confirmed => ("CONFIRMED", None),
            Self::Failed(FailureReason::Expired) => ("FAILED", Some("expired")),
            Self::Failed(FailureReason::Cancelled) => ("FAILED", Some("cancelled")),
            Self::Failed(FailureReason::Refunded) => ("FAILED", Some("refunded")),
        }
    }
}

/// A booking as its row was at one moment. Its `Debug` does not show whose it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Booking {
    pub(crate) id: BookingId,
    pub(crate) user_name: String,
    pub(crate) seats: i32,
    pub(crate) status: BookingStatus,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) settled_at: Option<Timestamp>,
    pub(crate) amount: Option<Money>,
}

impl Booking {
    /// Its public id.
    pub fn id(&self) -> BookingId {
        self.id
    }

    /// How many seats it holds or has.
    pub fn seats(&self) -> i32 {
        self.seats
    }

    /// Where it is in its life. A hold whose time is over stays `PENDING` until it is expired, a second or so later.
    pub fn status(&self) -> BookingStatus {
        self.status
    }

    /// When the hold ends or ended, by the database's clock.
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// What it costs, all its seats together, by the show's price when it was made. `None`: the show had no price.
    pub fn amount(&self) -> Option<&Money> {
        self.amount.as_ref()
    }

    /// Whether the same request made it: what an idempotency key stands for.
    pub(crate) fn is_for(&self, user_name: &UserName, seats: SeatCount) -> bool {
        self.user_name == user_name.as_str() && self.seats == seats.get()
    }
}

impl fmt::Debug for Booking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Booking")
            .field("id", &self.id)
            .field("seats", &self.seats)
            .field("status", &self.status)
            .field("created_at", &self.created_at)
            .field("expires_at", &self.expires_at)
            .field("settled_at", &self.settled_at)
            .field("amount", &self.amount)
            .finish_non_exhaustive()
    }
}

impl Serialize for Booking {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (status, failure_reason) = self.status.columns();
        let mut booking = serializer.serialize_struct("Booking", 11)?;
        booking.serialize_field("booking_id", &self.id)?;
        booking.serialize_field("show_id", &self.id.show_id())?;
        booking.serialize_field("user_name", &self.user_name)?;
        booking.serialize_field("seats", &self.seats)?;
        booking.serialize_field("status", status)?;
        booking.serialize_field("failure_reason", &failure_reason)?;
        booking.serialize_field("created_at", &self.created_at)?;
        booking.serialize_field("expires_at", &self.expires_at)?;
        booking.serialize_field("settled_at", &self.settled_at)?;
        booking.serialize_field("amount_minor", &self.amount.as_ref().map(Money::minor))?;
        booking.serialize_field("currency", &self.amount.as_ref().map(Money::currency))?;
        booking.end()
    }
}
