//! Webhooks of payment providers: signed messages, which may be repeated and in any order.
//!
//! The signature covers the raw body, so it is verified before anything is parsed. After that no event is refused: an event that
//! the database cannot take now is queued, and an event that cannot be read is stored.

mod json;
mod key;
mod keyring;
mod replay;
mod signature;
pub mod standard;
mod standard_event;
pub mod stripe;
mod stripe_event;
mod stripe_money;
mod stripe_scope;

pub use key::{Key, Keys};
pub(crate) use replay::read_again;
pub use signature::{Refused, TOLERANCE};
pub use standard_event::parse as parse_standard;
pub use stripe_event::parse as parse_stripe;

use boxoffice_shared::{
    Error,
    holders::HolderLimits,
    metrics::Counter,
    payments::{self, PAYMENT_SEND, PaymentChange, PaymentEvent, PaymentQueue, Provider, Recorded, StripeScope},
    platform::{config::SecretSource, db::Db, deadline},
};
use jiff::Timestamp;
use native_tls::TlsConnector;
use serde_json::json;

use crate::http::{Problem, Reply, Request, raw_body};
use keyring::Keyring;
use stripe_scope::Ignored;

/// The maximum size of a webhook's body, in bytes. No signed event is refused for its size: API Gateway accepts 10 MB, and Lambda
/// accepts events of 6 MB, in which the body is base64. Most events have some 5 KiB, and more with many line items.
const MAX_BODY: usize = 10 * 1024 * 1024;

/// Receives events of payment providers. Clones share connections and keys.
#[derive(Clone, Debug)]
pub(crate) struct Webhooks {
    stripe: Keyring,
    standard: Keyring,
    scope: StripeScope,
    queue: PaymentQueue,
    limits: HolderLimits,
}

impl Webhooks {
    /// `scope` says which events of Stripe are ours. `limits` apply to the holder of a booking that is paid late.
    pub(crate) fn new(
        stripe: SecretSource<Keys>,
        standard: SecretSource<Keys>,
        scope: StripeScope,
        queue: PaymentQueue,
        limits: HolderLimits,
        tls: &TlsConnector,
    ) -> Self {
        Self {
            stripe: Keyring::new(stripe, stripe::keys, tls),
            standard: Keyring::new(standard, standard::keys, tls),
            scope,
            queue,
            limits,
        }
    }

    /// Verifies a message, and answers 200 when its event is in the database or the queue. An event of another stack is not stored
    /// and is answered 200 as well.
    pub(crate) async fn receive(&self, db: &Db, provider: Provider, request: &Request) -> Result<Reply, Problem> {
        let body = raw_body(request, MAX_BODY)?;
        let event = match self.verified(provider, request, body).await? {
            Ok(event) => event,
            Err(ignored) => {
                Counter::WebhookIgnored.add(1);
                tracing::info!(%provider, why = ?ignored, "ignored an event of another mode or account");
                return Ok(Reply::ok(&json!({ "outcome": "ignored" })));
            }
        };
        if event.change == PaymentChange::Unreadable {
            Counter::WebhookUnreadable.add(1);
            tracing::error!(%provider, event_id = %event.event_id, "a signed event cannot be read; it will be stored");
        }
        let outcome = self.take(db, &event).await?;
        Ok(Reply::ok(&json!({ "outcome": outcome })))
    }

    /// Applies the event, or queues it.
    async fn take(&self, db: &Db, event: &PaymentEvent) -> Result<&'static str, Problem> {
        // Leaves time for the queue, however long the database takes.
        let error = match deadline::sparing(PAYMENT_SEND, payments::record(db, event, &self.limits)).await {
            Ok(recorded) => {
                recorded.count();
                return Ok(outcome(recorded));
            }
            Err(error) => error,
        };
        let (provider, event_id) = (event.provider, &event.event_id);
        tracing::warn!(%provider, %event_id, cause = ?std::error::Error::source(&error), "the database did not take a payment event; it will be queued: {error}");
        match self.queue.send(event).await {
            Ok(()) => {
                Counter::PaymentQueued.add(1);
                Ok("queued")
            }
            // The provider sends it again, for days.
            Err(cause) => {
                Counter::PaymentNotTaken.add(1);
                Err(Error::Unavailable(cause).into())
            }
        }
    }

    async fn verified(&self, provider: Provider, request: &Request, body: &[u8]) -> Result<Received, Problem> {
        let keyring = match provider {
            Provider::Stripe => &self.stripe,
            Provider::Standard => &self.standard,
        };
        let keys = keyring.keys().await.map_err(Error::Unavailable)?;
        let mut verdict = verify(provider, request, body, &keys, &self.scope, Timestamp::now());
        if matches!(verdict, Err(Refused::NoMatch))
            && let Some(newer) = keyring.newer_than(&keys).await.map_err(Error::Unavailable)?
        {
            verdict = verify(provider, request, body, &newer, &self.scope, Timestamp::now());
        }
        verdict.map_err(|refused| {
            Counter::WebhookRefused.add(1);
            tracing::warn!(%provider, ?refused, "refused a webhook with an invalid signature");
            Problem::NotSigned
        })
    }
}

/// The event of a message with a valid signature, unless it is of another stack.
type Received = Result<PaymentEvent, Ignored>;

/// Reads the event of a message, if one of the keys signed it.
fn verify(
    provider: Provider,
    request: &Request,
    body: &[u8],
    keys: &[Key],
    scope: &StripeScope,
    now: Timestamp,
) -> Result<Received, Refused> {
    match provider {
        Provider::Stripe => {
            let signed_at = stripe::verify(header(request, stripe::HEADER)?, body, keys, now)?;
            Ok(stripe_event::parse_ours(body, signed_at, scope))
        }
        Provider::Standard => {
            let headers = standard::Headers {
                id: header(request, standard::ID_HEADER)?,
                timestamp: header(request, standard::TIMESTAMP_HEADER)?,
                signature: header(request, standard::SIGNATURE_HEADER)?,
            };
            let signed_at = standard::verify(headers, body, keys, now)?;
            Ok(Ok(standard_event::parse(headers.id, body, signed_at)))
        }
    }
}

/// A header that must be given once.
fn header<'a>(request: &'a Request, name: &str) -> Result<&'a str, Refused> {
    match request.headers(name).as_slice() {
        [value] => Ok(*value),
        _ => Err(Refused::Malformed),
    }
}

/// The answer for the provider, which people see who watch its deliveries.
fn outcome(recorded: Recorded) -> &'static str {
    match recorded {
        Recorded::Repeated => "repeated",
        Recorded::Confirmed => "confirmed",
        Recorded::RefundDue(_) => "refund_due",
        Recorded::Unclaimed => "unclaimed",
        Recorded::Disputed => "disputed",
        Recorded::Refunded => "refunded",
        Recorded::Kept => "kept",
    }
}
