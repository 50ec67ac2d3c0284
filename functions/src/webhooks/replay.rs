//! Events that were not understood when they came, read once more: by the parsers of this version.

use boxoffice_shared::{
    Error,
    payments::{KeptEvent, Payload, PaymentChange, PaymentEvent, Provider, StripeScope},
};

use super::{standard_event, stripe_event};

/// What the kept body of an event says by now. Its signature was good when it came, and its id stays the inbox's.
///
/// # Errors
/// [`Error::EventUnreadable`]: what it said then, nothing. [`Error::EventIgnored`]: it was kept by a version or a
/// deployment that took events of every mode and account.
pub(crate) fn read_again(
    provider: Provider,
    kept: &KeptEvent,
    payload: &Payload,
    scope: &StripeScope,
) -> Result<PaymentEvent, Error> {
    let (id, body) = (kept.event_id(), payload.as_str().as_bytes());
    let event = match provider {
        Provider::Stripe => {
            stripe_event::parse_ours(body, kept.occurred_at(), scope).map_err(|_| Error::EventIgnored)?
        }
        Provider::Standard => standard_event::parse(id.as_str(), body, kept.occurred_at()),
    };
    match event.change {
        PaymentChange::Unreadable => Err(Error::EventUnreadable { is_cut: kept.is_cut() }),
        _ => Ok(PaymentEvent { event_id: id.clone(), ..event }),
    }
}
