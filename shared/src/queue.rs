//! The hold queue: a message for each hold, delivered when the hold is over.
//!
//! A message is a hint. It may be lost, late, early, doubled or out of order, and nothing breaks: the booking's row
//! and the database's clock decide.

use std::time::Duration;

use aws_sdk_sqs::{
    Client,
    config::{retry::RetryConfig, timeout::TimeoutConfig},
};
use serde::{Deserialize, Serialize};

use crate::{aws::Aws, error::Cause, model::BookingId};

/// The longest delay that SQS allows, in seconds.
const MAX_DELAY: u64 = 900;

/// One attempt at sending. SQS answers in some 10 ms; a buyer waits for this, and the sweep covers a failure.
const ATTEMPT: Duration = Duration::from_millis(700);

/// Attempts at sending.
const ATTEMPTS: u32 = 2;

/// What a hold message says. `{"booking_id": "42-0198..."}`
#[derive(Debug, Serialize, Deserialize)]
struct Body {
    booking_id: String,
}

/// The booking that a message is about, or `None` if the message is not one of ours.
pub fn read_hold_message(body: &str) -> Option<BookingId> {
    serde_json::from_str::<Body>(body).ok()?.booking_id.parse().ok()
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
        let config = aws_sdk_sqs::config::Builder::from(&aws.config)
            .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).build())
            .retry_config(
                RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(Duration::from_millis(50)),
            )
            .build();
        Self { client: Client::from_conf(config), url, aws }
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
    pub async fn send(&self, booking: BookingId, delay: Duration) -> Result<(), Cause> {
        let body = serde_json::to_string(&Body { booking_id: booking.to_string() })?;
        self.client
            .send_message()
            .queue_url(&self.url)
            .message_body(body)
            .delay_seconds(delay_seconds(delay))
            .send()
            .await?;
        Ok(())
    }
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

    #[test]
    fn a_delay_is_rounded_up_and_bounded() {
        assert_eq!(delay_seconds(Duration::ZERO), 0);
        assert_eq!(delay_seconds(Duration::from_millis(1)), 1);
        assert_eq!(delay_seconds(Duration::from_secs(121)), 121);
        assert_eq!(delay_seconds(Duration::from_secs(901)), 900);
    }

    #[test]
    fn only_our_messages_are_read() {
        let id = "42-019a5b7e-8f00-7abc-8def-0123456789ab";
        let read = |body: &str| read_hold_message(body).map(|id| id.to_string());
        assert_eq!(read(&format!(r#"{{"booking_id":"{id}"}}"#)).as_deref(), Some(id));
        for poison in ["", "null", "not json", "{}", r#"{"booking_id":7}"#, r#"{"booking_id":"42-x"}"#] {
            assert_eq!(read(poison), None, "{poison}");
        }
    }
}
