//! Shows.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Serialize, Serializer, ser::SerializeStruct};

use super::{Invalid, Money, canonical_integer};

/// A show's id, positive.
///
/// ```
/// use boxoffice_shared::model::ShowId;
/// assert_eq!("42".parse::<ShowId>()?.get(), 42);
/// for text in ["0", "042", "+42", "4 2", "9223372036854775808", "x"] {
///     assert!(text.parse::<ShowId>().is_err(), "{text}");
/// }
/// # Ok::<(), boxoffice_shared::model::Invalid>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ShowId(i64);

impl ShowId {
    /// The id as the database has it.
    pub fn get(self) -> i64 {
        self.0
    }

    /// An id that the database gave out.
    pub(crate) fn from_row(id: i64) -> Self {
        Self(id)
    }
}

impl FromStr for ShowId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        canonical_integer(text).map(Self).ok_or_else(|| Invalid::new("must be a show's id"))
    }
}

impl fmt::Display for ShowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A show and its seats at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Show {
    pub(crate) id: ShowId,
    pub(crate) name: String,
    pub(crate) start_time: Timestamp,
    pub(crate) total_seats: i32,
    pub(crate) available_seats: i32,
    pub(crate) max_seats_per_booking: i32,
    pub(crate) max_pending_seats_per_holder: Option<i32>,
    pub(crate) max_seats_per_holder: Option<i32>,
    pub(crate) pools: i32,
    pub(crate) price: Option<Money>,
}

impl Show {
    /// Its id.
    pub fn id(&self) -> ShowId {
        self.id
    }

    /// When it starts; it is sold until then.
    pub fn start_time(&self) -> Timestamp {
        self.start_time
    }

    /// Seats in all.
    pub fn total_seats(&self) -> i32 {
        self.total_seats
    }

    /// Seats that are neither held nor sold.
    pub fn available_seats(&self) -> i32 {
        self.available_seats
    }

    /// Seats that are held or sold.
    pub fn reserved_seats(&self) -> i32 {
        self.total_seats - self.available_seats
    }

    /// Pool rows that its free seats are spread over.
    pub fn pools(&self) -> i32 {
        self.pools
    }

    /// What a seat costs. `None`: only an operator confirms its bookings.
    pub fn price(&self) -> Option<&Money> {
        self.price.as_ref()
    }
}

impl Serialize for Show {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut show = serializer.serialize_struct("Show", 12)?;
        show.serialize_field("show_id", &self.id)?;
        show.serialize_field("name", &self.name)?;
        show.serialize_field("start_time", &self.start_time)?;
        show.serialize_field("total_seats", &self.total_seats)?;
        show.serialize_field("reserved_seats", &self.reserved_seats())?;
        show.serialize_field("available_seats", &self.available_seats)?;
        show.serialize_field("max_seats_per_booking", &self.max_seats_per_booking)?;
        show.serialize_field("max_pending_seats_per_holder", &self.max_pending_seats_per_holder)?;
        show.serialize_field("max_seats_per_holder", &self.max_seats_per_holder)?;
        show.serialize_field("pools", &self.pools)?;
        show.serialize_field("price_minor", &self.price.as_ref().map(Money::minor))?;
        show.serialize_field("currency", &self.price.as_ref().map(Money::currency))?;
        show.end()
    }
}
