//! Shows, their ids and their names.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::Serialize;

use tokio_postgres::Row;

use crate::{
    Error, Invalid,
    money::{Money, price_members},
    page::{Position, time_of, time_value},
    platform::{canonical_integer, db::row, text::name},
};

/// A show's id, a positive integer.
///
/// ```
/// use boxoffice_shared::shows::ShowId;
/// assert_eq!("42".parse::<ShowId>()?.get(), 42);
/// for text in ["0", "042", "+42", "4 2", "9223372036854775808", "x"] {
///     assert!(text.parse::<ShowId>().is_err(), "{text}");
/// }
/// # Ok::<(), boxoffice_shared::Invalid>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ShowId(i64);

impl ShowId {
    /// The id as stored in the database.
    pub fn get(self) -> i64 {
        self.0
    }

    /// Makes an id from a value in the database.
    pub(crate) fn from_row(id: i64) -> Self {
        Self(id)
    }
}

impl FromStr for ShowId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        canonical_integer(text).map(Self).ok_or_else(|| Invalid::new("must be a show id"))
    }
}

impl fmt::Display for ShowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

name! {
    /// A show's name.
    ShowName
}

impl fmt::Debug for ShowName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShowName({:?})", self.as_str())
    }
}

/// A show and its seats at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Show {
    #[serde(rename = "show_id")]
    pub(crate) id: ShowId,
    pub(crate) name: String,
    pub(crate) start_time: Timestamp,
    pub(crate) total_seats: i32,
    pub(crate) reserved_seats: i32,
    pub(crate) available_seats: i32,
    pub(crate) max_seats_per_booking: i32,
    pub(crate) max_pending_seats_per_holder: Option<i32>,
    pub(crate) max_seats_per_holder: Option<i32>,
    pub(crate) pools: i32,
    #[serde(flatten, serialize_with = "price_members")]
    pub(crate) price: Option<Money>,
}

impl Show {
    /// Reads the show from a row with the columns of `shows` and `available_seats`.
    pub(super) fn from_row(row: &Row) -> Result<Self, Error> {
        let total_seats = row::get(row, "total_seats")?;
        // NULL means that the show has no pools.
        let available_seats = row::get::<i64>(row, "available_seats")?;
        let available_seats = i32::try_from(available_seats).map_err(|e| Error::Internal(e.into()))?;
        Ok(Self {
            id: ShowId::from_row(row::get(row, "id")?),
            name: row::get(row, "name")?,
            start_time: row::get(row, "start_time")?,
            total_seats,
            reserved_seats: total_seats - available_seats,
            available_seats,
            max_seats_per_booking: row::get(row, "max_seats_per_booking")?,
            max_pending_seats_per_holder: row::get(row, "max_pending_seats_per_holder")?,
            max_seats_per_holder: row::get(row, "max_seats_per_holder")?,
            pools: row::get(row, "pools")?,
            price: Money::from_row(row, "price_minor")?,
        })
    }

    /// The show's id.
    pub fn id(&self) -> ShowId {
        self.id
    }

    /// When the show starts. It is sold until then.
    pub fn start_time(&self) -> Timestamp {
        self.start_time
    }

    /// Total number of seats.
    pub fn total_seats(&self) -> i32 {
        self.total_seats
    }

    /// Number of seats that are neither held nor sold.
    pub fn available_seats(&self) -> i32 {
        self.available_seats
    }

    /// Number of seats that are held or sold.
    pub fn reserved_seats(&self) -> i32 {
        self.reserved_seats
    }

    /// Number of pool rows that the free seats are spread over.
    pub fn pools(&self) -> i32 {
        self.pools
    }

    /// The price of a seat. `None`: only an operator can confirm the show's bookings.
    pub fn price(&self) -> Option<&Money> {
        self.price.as_ref()
    }
}

/// The end of a page of shows: the last show's start time and id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShowCursor {
    pub(crate) start_time: Timestamp,
    pub(crate) id: i64,
}

impl ShowCursor {
    /// The position of this row.
    pub(super) fn from_row(row: &Row) -> Result<Self, Error> {
        Ok(Self { start_time: row::get(row, "start_time")?, id: row::get(row, "id")? })
    }

    /// The position before every show: 1970.
    pub(crate) const START: Self = Self { start_time: Timestamp::UNIX_EPOCH, id: 0 };
}

impl Position for ShowCursor {
    const LIST: &'static str = "shows";

    fn values(&self) -> Vec<String> {
        vec![time_value(self.start_time), self.id.to_string()]
    }

    fn of(values: &[&str]) -> Option<Self> {
        let [start_time, id] = values else { return None };
        Some(Self { start_time: time_of(start_time)?, id: canonical_integer(id)? })
    }
}
