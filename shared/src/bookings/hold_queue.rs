//! The hold queue: one message for each hold, delivered when the hold ends.
//!
//! A message is only a hint. It may be lost, late, early, duplicated or out of order without harm: the booking's row
//! and the database's clock decide.

use std::time::Duration;

use aws_sdk_sqs::Client;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::BookingId;
use crate::platform::{
    Cause,
    aws::Aws,
    config::{Reader, Source},
    deadline, queue,
};

/// Timeout of one send attempt. SQS answers in about 10 ms. The instance takes no other request meanwhile; the
/// sweep covers a failure.
const ATTEMPT: Duration = Duration::from_millis(700);

/// Timeout of a whole send, all attempts together.
const HOLD_SEND: Duration = Duration::from_millis(1500);

/// How often a hold's message may be sent back because the hold still runs. A two-minute hold that is extended for a
/// whole day needs 720. If a defect sends a message back forever, this ends it after a quarter of an hour. Then the
/// sweep takes over.
const MAX_HOPS: u16 = 1_000;

impl<S: Source> Reader<'_, S> {
    /// Reads `HOLD_QUEUE_URL`.
    pub fn hold_queue_url(&mut self) -> Option<String> {
        self.url("HOLD_QUEUE_URL")
    }
}

/// A message of the hold queue: `{"booking_id": "42-0198...", "hops": 1}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldMessage {
    /// The booking whose hold may have ended.
    pub booking_id: BookingId,
    /// How often this message was sent back.
    #[serde(default, skip_serializing_if = "is_zero")]
    hops: u16,
}

impl HoldMessage {
    /// Makes the first message of a hold.
    pub fn first(booking_id: BookingId) -> Self {
        Self { booking_id, hops: 0 }
    }

    /// Parses a message body; `None` if it is not a hold message.
    pub fn read(body: &str) -> Option<Self> {
        serde_json::from_str(body).ok()
    }

    /// Of two messages of one hold, returns the one that was sent back more often.
    pub fn later(self, other: Self) -> Self {
        if self.hops > other.hops { self } else { other }
    }

    /// The message to send back in place of this one; `None` if it was sent back too often.
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
    /// Connects to the queue with this URL.
    pub fn new(aws: Aws, url: String) -> Self {
        Self { client: queue::client(&aws, ATTEMPT), url, aws }
    }

    /// Opens a connection before the first message is sent. Takes at most 1 s.
    pub async fn warm(&self) {
        self.aws.warm(&self.url).await;
    }

    /// Sends a hold's message, to arrive after `delay` (at most 900 s).
    ///
    /// Takes about 10 ms, at most 1.5 s.
    ///
    /// # Errors
    /// The queue did not accept the message. The sweep expires the hold within a minute of its end.
    pub async fn send(&self, message: HoldMessage, delay: Duration) -> Result<(), Cause> {
        let body = serde_json::to_string(&message)?;
        let sending = self.client.send_message().queue_url(&self.url).message_body(body);
        timeout(deadline::bound(HOLD_SEND), sending.delay_seconds(queue::delay_seconds(delay)).send()).await??;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_messages_are_rejected() {
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
    fn message_is_sent_back_at_most_1000_times() {
        let id = "42-019a5b7e-8f00-7abc-8def-0123456789ab".parse().unwrap();
        // As the previous version sends it.
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
