//! The payments queue: events of payment providers that the database could not record when they arrived.
//!
//! They may be late, duplicated or out of order, but not lost: we acknowledged them to the provider.

use std::time::Duration;

use aws_sdk_sqs::Client;
use tokio::time::timeout;

use super::PaymentEvent;
use crate::platform::{
    Cause,
    aws::Aws,
    config::{Reader, Source},
    deadline, queue,
};

/// The time limit of one attempt to send an event. If sending fails, only the provider's own retry, minutes later,
/// repairs it.
const PAYMENT_ATTEMPT: Duration = Duration::from_millis(1500);

/// The time to send an event, with all attempts and the pause between them. A request keeps this much of its time in
/// reserve.
pub const PAYMENT_SEND: Duration = Duration::from_millis(3100);

/// The longest message, in bytes. It leaves room for characters that XML does not allow: each becomes 3 bytes longer.
const MAX_MESSAGE: usize = 192 * 1024;

/// How much of a payload is sent if all of it is too long, in bytes. Escaped, it is at most six times as long, below
/// the limit.
const PAYLOAD_BEGINNING: usize = 16 * 1024;

impl<S: Source> Reader<'_, S> {
    /// `PAYMENTS_QUEUE_URL`.
    pub fn payments_queue_url(&mut self) -> Option<String> {
        self.url("PAYMENTS_QUEUE_URL")
    }
}

/// Reads an event from a message of the payments queue; `None` if the message is not one of ours.
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
    /// Connects to the queue with this URL.
    pub fn new(aws: &Aws, url: String) -> Self {
        Self { client: queue::client(aws, PAYMENT_ATTEMPT), url }
    }

    /// Sends an event that the database could not record.
    ///
    /// Takes about 10 ms, and 3.1 s at most.
    ///
    /// # Errors
    /// The queue did not take the event, or it is unknown whether it did: the provider must send it again.
    pub async fn send(&self, event: &PaymentEvent) -> Result<(), Cause> {
        let message = self.client.send_message().queue_url(&self.url).message_body(payment_message(event)?);
        timeout(deadline::bound(PAYMENT_SEND), message.send()).await??;
        Ok(())
    }
}

/// Writes the event as a message that SQS accepts: at most 256 KiB, without characters that XML does not allow.
fn payment_message(event: &PaymentEvent) -> Result<String, serde_json::Error> {
    let mut body = serde_json::to_string(event)?;
    if body.len() > MAX_MESSAGE {
        // Mostly control characters, six bytes each. The event's meaning is in its other members.
        let beginning = &event.payload.as_str().as_bytes()[..PAYLOAD_BEGINNING.min(event.payload.as_str().len())];
        body = serde_json::to_string(&PaymentEvent { payload: beginning.into(), ..event.clone() })?;
    }
    // JSON does not escape these two.
    Ok(body.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payments::{PaymentChange, Provider};

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
    fn sqs_accepts_every_payment_message() {
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
}
