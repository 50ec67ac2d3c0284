//! Bookings and their states.

use std::fmt;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use tokio_postgres::Row;

use super::{BookingId, UserName};
use crate::{
    Error,
    inventory::SeatCount,
    money::{Money, amount_members},
    platform::db::row,
    shows::ShowId,
};

/// The state of a booking: `PENDING`, then once `CONFIRMED` or `FAILED`. Only a payment changes it after that: a late
/// one confirms an expired booking if its seats can be taken again, and a refund fails a confirmed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BookingStatus {
    /// Its seats are held until `expires_at`.
    Pending,
    /// Its seats are sold.
    Confirmed,
    /// Its seats were released.
    Failed(FailureReason),
}

/// Why a booking failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureReason {
    /// Nobody confirmed it in time.
    Expired,
    /// The holder cancelled it.
    Cancelled,
    /// It was paid and confirmed, and then refunded.
    Refunded,
}

impl BookingStatus {
    /// Parses the columns `status` and `failure_reason`. `None` if the schema allows a pair that this code does not
    /// know.
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

    /// The values of the columns `status` and `failure_reason`.
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

/// A booking as its row was at one moment. Its `Debug` output hides the personal data.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Booking {
    #[serde(flatten, serialize_with = "id_members")]
    pub(crate) id: BookingId,
    pub(crate) user_name: String,
    pub(crate) seats: i32,
    #[serde(flatten, serialize_with = "status_members")]
    pub(crate) status: BookingStatus,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) settled_at: Option<Timestamp>,
    #[serde(flatten, serialize_with = "amount_members")]
    pub(crate) amount: Option<Money>,
}

impl Booking {
    /// Reads the booking from a row with all the columns of `bookings`.
    pub(crate) fn from_row(row: &Row) -> Result<Self, Error> {
        let status = BookingStatus::from_columns(row::get(row, "status")?, row::get(row, "failure_reason")?)
            .ok_or_else(|| Error::Internal("this version does not know the booking's status".into()))?;
        Ok(Self {
            id: BookingId::from_row(row)?,
            user_name: row::get(row, "user_name")?,
            seats: row::get(row, "seats")?,
            status,
            created_at: row::get(row, "created_at")?,
            expires_at: row::get(row, "expires_at")?,
            settled_at: row::get(row, "settled_at")?,
            amount: Money::from_row(row, "amount_minor")?,
        })
    }

    /// The public id.
    pub fn id(&self) -> BookingId {
        self.id
    }

    /// The number of seats that it holds or has.
    pub fn seats(&self) -> i32 {
        self.seats
    }

    /// The state. A hold that has ended stays `PENDING` until it is expired, about a second later.
    pub fn status(&self) -> BookingStatus {
        self.status
    }

    /// When the hold ends or ended, by the database's clock.
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// The price of all its seats together, from the show's price when the booking was made. `None`: the show had no
    /// price.
    pub fn amount(&self) -> Option<&Money> {
        self.amount.as_ref()
    }

    /// Whether this request would make the same booking: the check for a reused idempotency key.
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

fn id_members<S: Serializer>(id: &BookingId, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Members {
        booking_id: BookingId,
        show_id: ShowId,
    }
    Members { booking_id: *id, show_id: id.show_id() }.serialize(serializer)
}

fn status_members<S: Serializer>(status: &BookingStatus, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Members {
        status: &'static str,
        failure_reason: Option<&'static str>,
    }
    let (status, failure_reason) = status.columns();
    Members { status, failure_reason }.serialize(serializer)
}

/// A booking in the state that the call asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The booking.
    pub booking: Booking,
    /// Whether this call changed the booking. If not, an earlier one did and this call was a repetition.
    pub changed: bool,
}
