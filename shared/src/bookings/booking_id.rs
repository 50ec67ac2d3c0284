//! The public id of a booking.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::{NoContext, Timestamp, Uuid};

use tokio_postgres::Row;

use crate::{Error, Invalid, platform::db::row, shows::ShowId};

/// A booking's public id, `<show_id>-<uuid>`. It contains the show, so every call, message and webhook knows where the
/// row is.
///
/// The uuid is a UUIDv7 that the caller generates before the row exists. Its 74 random bits make it unguessable: anyone
/// who has the id can act as the holder, unless the booking belongs to a subject.
///
/// ```
/// use boxoffice_shared::bookings::BookingId;
/// let text = "42-019a5b7e-8f00-7abc-8def-0123456789ab";
/// assert_eq!(text.parse::<BookingId>()?.to_string(), text);
/// // Each booking id has exactly one spelling.
/// assert!(text.to_uppercase().parse::<BookingId>().is_err());
/// assert!("42-019a5b7e8f007abc8def0123456789ab".parse::<BookingId>().is_err());
/// assert!("042-019a5b7e-8f00-7abc-8def-0123456789ab".parse::<BookingId>().is_err());
/// # Ok::<(), boxoffice_shared::Invalid>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BookingId {
    show_id: ShowId,
    uuid: Uuid,
}

impl BookingId {
    /// Generates an id for a booking of this show. `NoContext`: no counter takes bits from the random part.
    pub fn generate(show_id: ShowId) -> Self {
        Self { show_id, uuid: Uuid::new_v7(Timestamp::now(NoContext)) }
    }

    /// The show that the booking is for.
    pub fn show_id(self) -> ShowId {
        self.show_id
    }

    /// The row's id within its show.
    pub fn uuid(self) -> Uuid {
        self.uuid
    }

    /// Reads the id from a row with the columns `show_id` and `id`.
    pub(crate) fn from_row(row: &Row) -> Result<Self, Error> {
        Ok(Self { show_id: ShowId::from_row(row::get(row, "show_id")?), uuid: row::get(row, "id")? })
    }

    /// Reads the id that a row names in its columns `show_id` and `booking_id`, if it names a booking.
    pub(crate) fn named_in(row: &Row) -> Result<Option<Self>, Error> {
        let columns = row::get::<Option<i64>>(row, "show_id")?.zip(row::get(row, "booking_id")?);
        Ok(columns.map(|(show_id, uuid)| Self { show_id: ShowId::from_row(show_id), uuid }))
    }
}

impl FromStr for BookingId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid::new("must be a booking id");
        let (show_id, uuid) = text.split_once('-').ok_or_else(invalid)?;
        let id = Self { show_id: show_id.parse().map_err(|_| invalid())?, uuid: uuid.parse().map_err(|_| invalid())? };
        if id.to_string() == text { Ok(id) } else { Err(invalid()) }
    }
}

impl fmt::Display for BookingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.show_id, self.uuid)
    }
}

impl Serialize for BookingId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BookingId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
