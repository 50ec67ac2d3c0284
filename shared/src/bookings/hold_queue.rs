//! The hold queue: a message for each hold, delivered when the hold is over.
//!
//! A message is a hint: it may be lost, late, early, doubled or out of order, and nothing breaks: the booking's row and the
//! database's clock decide.

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

/// One attempt at sending. SQS answers in some 10 ms; a buyer waits for this, and the sweep covers a failure.
const ATTEMPT: Duration = Duration::from_millis(700);

/// To send a hold message, likewise.
const HOLD_SEND: Duration = Duration::from_millis(1500);

/// How often a hold's message may be sent back at most, since its hold goes on. A hold of two minutes that its buyer extends for the
/// whole of a day needs 720; a defect that sends a message back for ever ends after a quarter of an hour. Then the sweep takes over.
const MAX_HOPS: u16 = 1_000;

impl<S: Source> Reader<'_, S> {
    /// `HOLD_QUEUE_URL`.
    pub fn hold_queue_url(&mut self) -> Option<String> {
        self.url("HOLD_QUEUE_URL")
    }
}

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
        Self { client: queue::client(&aws, ATTEMPT), url, aws }
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
        timeout(deadline::bound(HOLD_SEND), sending.delay_seconds(queue::delay_seconds(delay)).send()).await??;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
