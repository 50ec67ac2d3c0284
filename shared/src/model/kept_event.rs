//! Events of payment providers, as the inbox has them.

use jiff::Timestamp;
use serde::{Serialize, Serializer, ser::SerializeStruct};

use super::{
    BookingId, EventId, PaymentId, Position, Provider, RefundReason,
    page::{time_of, time_value},
};

/// An event as its row was at one moment, without its payload: that may have personal data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptEvent {
    pub(crate) provider: Provider,
    pub(crate) event_id: EventId,
    pub(crate) event_type: String,
    pub(crate) payment_id: Option<PaymentId>,
    pub(crate) booking_id: Option<BookingId>,
    pub(crate) change: String,
    pub(crate) outcome: String,
    pub(crate) reason: Option<RefundReason>,
    pub(crate) occurred_at: Timestamp,
    pub(crate) received_at: Timestamp,
    pub(crate) is_cut: bool,
}

impl KeptEvent {
    /// Its id.
    pub fn event_id(&self) -> &EventId {
        &self.event_id
    }

    /// Whether it was not understood when it came, and nobody has replayed it since.
    pub fn is_unreadable(&self) -> bool {
        self.change == "unreadable"
    }

    /// When it happened, by the provider's clock; or when it was signed, if that was not to be read.
    pub fn occurred_at(&self) -> Timestamp {
        self.occurred_at
    }

    /// Whether its body was so long that a part of it may not have been kept.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }
}

impl Serialize for KeptEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut event = serializer.serialize_struct("KeptEvent", 12)?;
        event.serialize_field("provider", &self.provider)?;
        event.serialize_field("event_id", &self.event_id)?;
        event.serialize_field("path_id", &self.event_id.path_id())?;
        event.serialize_field("type", &self.event_type)?;
        event.serialize_field("payment_id", &self.payment_id)?;
        event.serialize_field("booking_id", &self.booking_id)?;
        event.serialize_field("change", &self.change)?;
        event.serialize_field("outcome", &self.outcome)?;
        event.serialize_field("reason", &self.reason)?;
        event.serialize_field("occurred_at", &self.occurred_at)?;
        event.serialize_field("received_at", &self.received_at)?;
        event.serialize_field("payload_cut", &self.is_cut)?;
        event.end()
    }
}

/// Where a page of events ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventCursor {
    pub(crate) received_at: Timestamp,
    pub(crate) provider: String,
    pub(crate) event_id: String,
}

impl EventCursor {
    /// Before every event: 1970.
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
