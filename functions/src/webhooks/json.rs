//! Members of events that all providers have.

use boxoffice_shared::{money::Money, payments::EventId};
use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The body as JSON, or `null` if it is not JSON.
pub(super) fn read(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}

/// An amount in minor units. It must be an integer, because nothing is rounded.
pub(super) fn money(minor: &Value, currency: &Value) -> Option<Money> {
    Money::new(minor.as_i64()?, currency.as_str()?).ok()
}

/// Whether an event can have happened at this time. Providers are younger than 1970, and Postgres cannot store all times.
pub(super) fn plausible(time: Timestamp) -> bool {
    time >= Timestamp::UNIX_EPOCH
}

/// An id for an event whose own id is missing or cannot be stored.
pub(super) fn id_of(content: &[u8]) -> EventId {
    EventId::from_digest(Sha256::digest(content).into())
}
