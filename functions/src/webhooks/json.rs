//! Members of a provider's JSON, for events of both kinds.

use boxoffice_shared::{money::Money, payments::EventId};
use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The body as JSON; `null`, in which nothing can be found, if it is none.
pub(super) fn read(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}

/// An amount in minor units. Only integers: nothing is rounded.
pub(super) fn money(minor: &Value, currency: &Value) -> Option<Money> {
    Money::new(minor.as_i64()?, currency.as_str()?).ok()
}

/// A time at which an event can have happened: providers are younger than 1970, and Postgres cannot store them all.
pub(super) fn plausible(time: Timestamp) -> bool {
    time >= Timestamp::UNIX_EPOCH
}

/// The id of an event that has none that can be kept.
pub(super) fn id_of(content: &[u8]) -> EventId {
    EventId::from_digest(Sha256::digest(content).into())
}
