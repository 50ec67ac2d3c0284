//! SQS clients.

use std::time::Duration;

use aws_sdk_sqs::{
    Client,
    config::{retry::RetryConfig, timeout::TimeoutConfig},
};

use super::aws::Aws;

/// The longest delay that SQS allows, in seconds.
const MAX_DELAY: u64 = 900;

/// The maximum number of attempts to send a message.
const ATTEMPTS: u32 = 2;

/// Creates a client with a time limit for each attempt.
pub(crate) fn client(aws: &Aws, attempt: Duration) -> Client {
    let retries = RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(Duration::from_millis(50));
    let config = aws_sdk_sqs::config::Builder::from(&aws.config)
        .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(attempt).build())
        .retry_config(retries)
        .build();
    Client::from_conf(config)
}

/// A delay in whole seconds, rounded up so that a message is late rather than early. At most 900: a message that is not
/// due by then is sent again.
pub(crate) fn delay_seconds(delay: Duration) -> i32 {
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
}
