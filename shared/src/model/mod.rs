//! The domain's types. A value that exists is valid: each is parsed once, at the edge, and its fields are private.

mod booking;
mod booking_id;
mod creation_key;
mod currency;
mod hold;
mod holder;
mod idempotency_key;
mod kept_event;
mod money;
mod page;
mod path_id;
mod payment;
mod payment_event;
mod retention;
mod seats;
mod show;
mod subject;
mod text;
mod time;

pub use booking::{Booking, BookingStatus, FailureReason};
pub use booking_id::BookingId;
pub use creation_key::CreationKey;
pub use currency::Currency;
pub use hold::Hold;
pub use holder::{Holder, HolderLimits, Subject, Viewer};
pub use idempotency_key::IdempotencyKey;
pub use kept_event::{EventCursor, KeptEvent};
pub use money::{Money, Price};
pub use page::{Cursor, PageLimit, Position};
pub use payment::{DisputeDecision, KnownDispute, KnownRefund, Payment, PaymentCursor, PaymentState, RefundReason};
pub use payment_event::{
    DisputeId, DisputeState, EventId, EventType, Payload, PaymentChange, PaymentEvent, PaymentId, Provider, Refund,
    RefundId, RefundState,
};
pub use retention::Retention;
pub use seats::{Pools, SeatCount, SeatLimit, TotalSeats};
pub use show::{Show, ShowId};
pub use subject::{SubjectBooking, SubjectCursor, SubjectEvent};
pub use text::{ShowName, UserName};
pub use time::rfc_3339;

use std::fmt;

/// Why a value was refused, in a sentence part fit for a client: "must be an integer from 1 to 1000".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid(String);

impl Invalid {
    /// With this sentence part.
    pub fn new(detail: impl Into<String>) -> Self {
        Self(detail.into())
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Invalid {}

/// Decimal digits as a person would write them: no sign, no leading zero. So an id has one spelling.
fn canonical_integer(text: &str) -> Option<i64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    if plain { text.parse().ok() } else { None }
}
