//! The queues.
//!
//! The hold queue has a message for each hold, delivered when the hold is over. It is a hint: it may be lost, late,
//! early, doubled or out of order, and nothing breaks: the booking's row and the database's clock decide.
//!
//! The payments queue has the events of payment providers that the database could not take when they came. They may be
//! late, doubled or out of order, but not lost: the provider was told that we have them.

use std::time::Duration;

use aws_sdk_sqs::{
    Client,
    config::{retry::RetryConfig, timeout::TimeoutConfig},
};
use serde::{Deserialize, Serialize};

use tokio::time::timeout;

use crate::{
    aws::Aws,
    deadline,
    error::Cause,
    model::{BookingId, PaymentEvent},
};

/// The longest delay that SQS allows, in seconds.
const MAX_DELAY: u64 = 900;

/// One attempt at sending. SQS answers in some 10 ms; a buyer waits for this, and the sweep covers a failure.
const ATTEMPT: Duration = Duration::from_millis(700);

/// One attempt at sending a payment's event. Nothing covers a failure but the provider, which comes again in minutes.
const PAYMENT_ATTEMPT: Duration = Duration::from_millis(1500);

/// Attempts at sending.
const ATTEMPTS: u32 = 2;

/// To send a payment's event, all attempts and the pause between them together: what is to be left of a request's time for it.
pub const PAYMENT_SEND: Duration = Duration::from_millis(3100);

/// To send a hold message, likewise.
const HOLD_SEND: Duration = Duration::from_millis(1500);

/// The longest message, in bytes, with room for what XML cannot have: each of them becomes 3 bytes longer.
const MAX_MESSAGE: usize = 192 * 1024;

/// What is sent of a payload that would be too long, in bytes: six times as much, escaped, is below the limit.
const PAYLOAD_BEGINNING: usize = 16 * 1024;

/// How often a hold's message may be sent back at most, since its hold goes on. A hold of two minutes that its buyer extends for the
/// whole of a day needs 720; a defect that sends a message back for ever ends after a quarter of an hour. Then the sweep takes over.
const MAX_HOPS: u16 = 1_000;

/// A message of the hold queue: `{"booking_id": "42-0198...", "hops": 1}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldMessage {
    /// The booking whose hold may be over.
    pub booking_id: BookingId,
    /// How often it was sent back.
    #[serde(default, skip_serializing_if = "is_zero")]
    hops: u16,
}

impl HoldMessage {
    /// The first message of a hold.
    pub fn first(booking_id: BookingId) -> Self {
        Self { booking_id, hops: 0 }
    }

    /// The message with this body; `None` if it is not one of ours.
    pub fn read(body: &str) -> Option<Self> {
        serde_json::from_str(body).ok()
    }

    /// Of two messages of one hold, the one that was sent back more often.
    pub fn later(self, other: Self) -> Self {
        if self.hops > other.hops { self } else { other }
    }

    /// The message that is sent back in the place of this one; `None` if it was sent back too often.
    pub fn next(self) -> Option<Self> {
        (self.hops < MAX_HOPS).then(|| Self { hops: self.hops + 1, ..self })
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(hops: &u16) -> bool {
    *hops == 0
}

/// The queue of hold messages. Clones share connections.
#[derive(Clone, Debug)]
pub struct HoldQueue {
    client: Client,
    url: String,
    aws: Aws,
}

impl HoldQueue {
    /// The queue with this URL.
    pub fn new(aws: Aws, url: String) -> Self {
        Self { client: client(&aws, ATTEMPT), url, aws }
    }

    /// Opens a connection ahead of the first message. Takes 1 s at most.
    pub async fn warm(&self) {
        self.aws.warm(&self.url).await;
    }

    /// Sends the message that ends a hold, to arrive after `delay` (at most 900 s).
    ///
    /// Takes some 10 ms, and 1.5 s at most.
    ///
    /// # Errors
    /// The queue did not take it. The sweep expires the hold within a minute of its time.
    pub async fn send(&self, message: HoldMessage, delay: Duration) -> Result<(), Cause> {
        let body = serde_json::to_string(&message)?;
        let sending = self.client.send_message().queue_url(&self.url).message_body(body);
        timeout(deadline::bound(HOLD_SEND), sending.delay_seconds(delay_seconds(delay)).send()).await??;
        Ok(())
    }
}

/// The event in a message of the payments queue, or `None` if the message is not one of ours.
pub fn read_payment_message(body: &str) -> Option<PaymentEvent> {
    serde_json::from_str(body).ok()
}

/// The queue of payment events. Clones share connections.
#[derive(Clone, Debug)]
pub struct PaymentQueue {
    client: Client,
    url: String,
}

impl PaymentQueue {
    /// The queue with this URL.
    pub fn new(aws: &Aws, url: String) -> Self {
        Self { client: client(aws, PAYMENT_ATTEMPT), url }
    }

    /// Sends an event that the database could not take.
    ///
    /// Takes some 10 ms, and 3.1 s at most.
    ///
    /// # Errors
    /// The queue did not take it, or may have: the event must come again.
    pub async fn send(&self, event: &PaymentEvent) -> Result<(), Cause> {
        let message = self.client.send_message().queue_url(&self.url).message_body(payment_message(event)?);
        timeout(deadline::bound(PAYMENT_SEND), message.send()).await??;
        Ok(())
    }
}

/// The event as a message that SQS takes: at most 256 KiB, and no character that XML does not have.
fn payment_message(event: &PaymentEvent) -> Result<String, serde_json::Error> {
    let mut body = serde_json::to_string(event)?;
    if body.len() > MAX_MESSAGE {
        // Mostly control characters, of which each takes six bytes. What it says is in its other members.
        let beginning = &event.payload.as_str().as_bytes()[..PAYLOAD_BEGINNING.min(event.payload.as_str().len())];
        body = serde_json::to_string(&PaymentEvent { payload: beginning.into(), ..event.clone() })?;
    }
    // JSON writes these two as they are.
    Ok(body.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff"))
}

fn client(aws: &Aws, attempt: Duration) -> Client {
    let retries = RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(Duration::from_millis(50));
    let config = aws_sdk_sqs::config::Builder::from(&aws.config)
        .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(attempt).build())
        .retry_config(retries)
        .build();
    Client::from_conf(config)
}

/// Whole seconds, rounded up so that a message is rather late than early, and 900 at most: what is still not due then
/// is sent again.
fn delay_seconds(delay: Duration) -> i32 {
    let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
    i32::try_from(seconds.min(MAX_DELAY)).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{PaymentChange, Provider};

    #[test]
    fn a_delay_is_rounded_up_and_bounded() {
        assert_eq!(delay_seconds(Duration::ZERO), 0);
        assert_eq!(delay_seconds(Duration::from_millis(1)), 1);
        assert_eq!(delay_seconds(Duration::from_secs(121)), 121);
        assert_eq!(delay_seconds(Duration::from_secs(901)), 900);
    }

    fn event(payload: &str) -> PaymentEvent {
        PaymentEvent {
            provider: Provider::Standard,
            event_id: "msg_1".try_into().unwrap(),
            event_type: "payment.failed".into(),
            payment_id: Some("pay_1".try_into().unwrap()),
            booking_id: None,
            occurred_at: jiff::Timestamp::UNIX_EPOCH,
            change: PaymentChange::Failed,
            payload: payload.into(),
        }
    }

    #[test]
    fn a_payment_message_is_what_sqs_takes() {
        for payload in ["\u{1}", "\u{ffff}", "\"", "ü", "{}"] {
            let event = event(&payload.repeat(64 * 1024));
            let message = payment_message(&event).unwrap();
            assert!(message.len() < 256 * 1024, "{payload:?}: {}", message.len());
            assert!(message.chars().all(|c| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}')), "{payload:?}");
            let received = read_payment_message(&message).unwrap();
            assert!(event.payload.as_str().starts_with(received.payload.as_str()), "{payload:?}");
            assert_eq!(PaymentEvent { payload: event.payload.clone(), ..received }, event, "{payload:?}");
        }
        assert!(read_payment_message("{}").is_none());
    }

    #[test]
    fn only_our_messages_are_read() {
        let id = "42-019a5b7e-8f00-7abc-8def-0123456789ab";
        let read = |body: &str| HoldMessage::read(body).map(|message| message.booking_id.to_string());
        assert_eq!(read(&format!(r#"{{"booking_id":"{id}"}}"#)).as_deref(), Some(id));
        for poison in ["", "null", "not json", "{}", r#"{"booking_id":7}"#, r#"{"booking_id":"42-x"}"#] {
            assert_eq!(read(poison), None, "{poison}");
        }
        for poison in ["-1", "65536", "1.5", "\"1\"", "null"] {
            assert_eq!(read(&format!(r#"{{"booking_id":"{id}","hops":{poison}}}"#)), None, "{poison}");
        }
    }

    #[test]
    fn a_message_is_sent_back_a_thousand_times_at_most() {
        let id = "42-019a5b7e-8f00-7abc-8def-0123456789ab".parse().unwrap();
        // As the version before sends it.
        let first = HoldMessage::read(&format!(r#"{{"booking_id":"{id}"}}"#)).unwrap();
        assert_eq!(first, HoldMessage::first(id));
        let mut message = first;
        for _ in 0..MAX_HOPS {
            let text = serde_json::to_string(&message.next().unwrap()).unwrap();
            message = HoldMessage::read(&text).unwrap();
        }
        assert_eq!(message.next(), None);
    }
}
