//! Reads stored events again, with the parsers of this version.

use boxoffice_shared::{
    Error,
    payments::{KeptEvent, Payload, PaymentChange, PaymentEvent, Provider, StripeScope},
};

use super::{standard_event, stripe_event};

/// Reads the stored body of an event. Its signature was verified when it arrived, and its id stays.
///
/// # Errors
/// [`Error::EventUnreadable`]: this version cannot read it either. [`Error::EventIgnored`]: it is of another mode or account, which
/// the version or deployment that stored it accepted.
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
