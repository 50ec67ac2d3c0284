//! What payment providers tell us: signed messages, over and over, in any order.
//!
//! The signature is over the raw body, so it is verified before anything is parsed. After that nothing is turned away:
//! an event that the database cannot take now goes to the payments queue, and one that we do not understand is kept.

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

/// The greatest body of a webhook, in bytes: no signed event is turned away for its size. API Gateway passes no more than
/// 10 MB, and Lambda takes 6 MB of event, in which a body is escaped or in base64: what is longer never reaches us. Events
/// have some 5 KiB; those with many line items have more.
const MAX_BODY: usize = 10 * 1024 * 1024;

/// Takes the events of payment providers. Clones share connections and keys.
#[derive(Clone, Debug)]
pub(crate) struct Webhooks {
    stripe: Keyring,
    standard: Keyring,
    scope: StripeScope,
    queue: PaymentQueue,
    limits: HolderLimits,
}

impl Webhooks {
    /// With the keys of these sources; of Stripe's events, those of this scope; a late payment counts for its holder's `limits`.
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

    /// Verifies a message, and answers 200 once its event is in the database or the queue, or is known to be another
    /// stack's: then nothing of it is kept.
    pub(crate) async fn receive(&self, db: &Db, provider: Provider, request: &Request) -> Result<Reply, Problem> {
        let body = raw_body(request, MAX_BODY)?;
        let event = match self.verified(provider, request, body).await? {
            Ok(event) => event,
            Err(ignored) => {
                Counter::WebhookIgnored.add(1);
                tracing::info!(%provider, why = ?ignored, "an event of another mode or account is ignored");
                return Ok(Reply::ok(&json!({ "outcome": "ignored" })));
            }
        };
        if event.change == PaymentChange::Unreadable {
            Counter::WebhookUnreadable.add(1);
            tracing::error!(%provider, event_id = %event.event_id, "a signed event is not understood; it is kept");
        }
        let outcome = self.take(db, &event).await?;
        Ok(Reply::ok(&json!({ "outcome": outcome })))
    }

    /// Does what the event asks for, or has it done later.
    async fn take(&self, db: &Db, event: &PaymentEvent) -> Result<&'static str, Problem> {
        // The queue has its time whatever the database takes of it.
        let error = match deadline::sparing(PAYMENT_SEND, payments::record(db, event, &self.limits)).await {
            Ok(recorded) => {
                recorded.count();
                return Ok(outcome(recorded));
            }
            Err(error) => error,
        };
        let (provider, event_id) = (event.provider, &event.event_id);
        tracing::warn!(%provider, %event_id, cause = ?std::error::Error::source(&error), "a payment event is queued: {error}");
        match self.queue.send(event).await {
            Ok(()) => {
                Counter::PaymentQueued.add(1);
                Ok("queued")
            }
            // The provider comes again, for days: by then one of the two is back.
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
            tracing::warn!(%provider, ?refused, "a webhook's signature is not good");
            Problem::NotSigned
        })
    }
}

/// The event of a message whose signature is good, unless it is not this stack's.
type Received = Result<PaymentEvent, Ignored>;

/// The event of a message, if one of the keys signed it.
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

/// A header that must be there, once.
fn header<'a>(request: &'a Request, name: &str) -> Result<&'a str, Refused> {
    match request.headers(name).as_slice() {
        [value] => Ok(*value),
        _ => Err(Refused::Malformed),
    }
}

/// What the provider, or whoever watches its deliveries, is told.
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
