//! Batches of messages, for the workers behind queues.

use std::time::Duration;

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use boxoffice_shared::{Error, metrics::Counter, platform::deadline};

/// Work is started only if this much time is left, because a statement waits up to 2 s for a lock. If the deadline stops it all the
/// same, its messages are delivered again.
const ENOUGH: Duration = Duration::from_secs(3);

/// The messages of an event that `read` can read, each with its id, and the ids of the others.
pub(crate) fn read<T>(event: SqsEvent, read: impl Fn(&SqsMessage) -> Option<T>) -> (Vec<(String, T)>, Vec<String>) {
    let (mut ours, mut poison) = (Vec::new(), Vec::new());
    for message in event.records {
        match read(&message) {
            Some(content) => ours.push((message.message_id.unwrap_or_default(), content)),
            None => poison.push(count_poison(message)),
        }
    }
    (ours, poison)
}

/// Decides whether a batch goes on.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    over: bool,
}

impl Turns {
    /// Whether to try the next message: there is time, and the database is reachable.
    pub(crate) fn go_on(&self) -> bool {
        !self.over && deadline::has(ENOUGH)
    }

    /// Records the error of a message. If the database cannot be reached, the other messages are not tried, because they would
    /// fail as well.
    pub(crate) fn failed(&mut self, error: &Error) {
        self.over |= error.is_outage();
    }
}

/// The report that makes SQS deliver these messages again.
pub(crate) fn again(message_ids: impl IntoIterator<Item = String>) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = message_ids.into_iter().map(failure).collect();
    response
}

/// Logs and counts a message that cannot be read, and gives its id. SQS delivers it again until it goes to the dead-letter queue,
/// but it is counted once.
fn count_poison(message: SqsMessage) -> String {
    let message_id = message.message_id.unwrap_or_default();
    // SQS counts the deliveries. Without a count this is treated as the first.
    if message.attributes.get("ApproximateReceiveCount").is_none_or(|count| count == "1") {
        Counter::PoisonMessage.add(1);
        tracing::warn!(message_id, "a message cannot be read; it will go to the dead-letter queue");
    }
    message_id
}

fn failure(message_id: String) -> BatchItemFailure {
    let mut failure = BatchItemFailure::default();
    failure.item_identifier = message_id;
    failure
}
