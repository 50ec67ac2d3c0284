//! Events of payment providers, as the inbox stores them.

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use tokio_postgres::Row;

use super::{EventId, PaymentId, Provider, RefundReason};
use crate::{
    Error,
    bookings::BookingId,
    page::{Position, time_of, time_value},
    platform::db::row,
};

/// A snapshot of a stored event, without its payload, which may contain personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeptEvent {
    pub(crate) provider: Provider,
    #[serde(flatten, serialize_with = "id_members")]
    pub(crate) event_id: EventId,
    #[serde(rename = "type")]
    pub(crate) event_type: String,
    pub(crate) payment_id: Option<PaymentId>,
    pub(crate) booking_id: Option<BookingId>,
    pub(crate) change: String,
    pub(crate) outcome: String,
    pub(crate) reason: Option<RefundReason>,
    pub(crate) occurred_at: Timestamp,
    pub(crate) received_at: Timestamp,
    #[serde(rename = "payload_cut")]
    pub(crate) is_cut: bool,
}

impl KeptEvent {
    /// Reads an event from a row with the columns of `payment_events` except its payload, and `is_cut`.
    pub(super) fn from_row(row: &Row) -> Result<Self, Error> {
        let payment_id = row::get::<Option<&str>>(row, "payment_id")?;
        Ok(Self {
            provider: Provider::from_row(row)?,
            event_id: EventId::try_from(row::get::<&str>(row, "event_id")?).map_err(row::unknown)?,
            event_type: row::get(row, "type")?,
            payment_id: payment_id.map(PaymentId::try_from).transpose().map_err(row::unknown)?,
            booking_id: BookingId::named_in(row)?,
            change: row::get(row, "change")?,
            outcome: row::get(row, "outcome")?,
            reason: row::get::<Option<&str>>(row, "reason")?.map(str::parse).transpose().map_err(row::unknown)?,
            occurred_at: row::get(row, "occurred_at")?,
            received_at: row::get(row, "received_at")?,
            is_cut: row::get(row, "is_cut")?,
        })
    }

    /// The provider's id of the event.
    pub fn event_id(&self) -> &EventId {
        &self.event_id
    }

    /// Whether it was not understood on arrival and has not been replayed since.
    pub fn is_unreadable(&self) -> bool {
        self.change == "unreadable"
    }

    /// When it happened, by the provider's clock; or when it was signed, if that time could not be read.
    pub fn occurred_at(&self) -> Timestamp {
        self.occurred_at
    }

    /// Whether its body was so long that a part of it may be missing.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }
}

fn id_members<S: Serializer>(id: &EventId, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Members<'a> {
        event_id: &'a EventId,
        path_id: String,
    }
    Members { event_id: id, path_id: id.path_id() }.serialize(serializer)
}

/// The position in the list of events where a page ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventCursor {
    pub(crate) received_at: Timestamp,
    pub(crate) provider: String,
    pub(crate) event_id: String,
}

impl EventCursor {
    /// The position just after this row.
    pub(super) fn from_row(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            received_at: row::get(row, "received_at")?,
            provider: row::get(row, "provider")?,
            event_id: row::get(row, "event_id")?,
        })
    }

    /// The position before every event: 1970.
    pub(crate) fn start() -> Self {
        Self { received_at: Timestamp::UNIX_EPOCH, provider: String::new(), event_id: String::new() }
    }
}

impl Position for EventCursor {
    const LIST: &'static str = "events";

    fn values(&self) -> Vec<String> {
        vec![time_value(self.received_at), self.provider.clone(), self.event_id.clone()]
    }

    fn of(values: &[&str]) -> Option<Self> {
        let [received_at, provider, event_id] = values else { return None };
        let (provider, event_id) = (Provider::try_from(*provider).ok()?, EventId::try_from(*event_id).ok()?);
        Some(Self {
            received_at: time_of(received_at)?,
            provider: provider.as_str().to_owned(),
            event_id: event_id.into(),
        })
    }
}
