//! What the workers behind queues share.

use std::time::Duration;

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use boxoffice_shared::{Error, metrics::Counter, platform::deadline};

/// The time that must be left for something new to be begun: a lock is waited for 2 s at most. What is cut short by the
/// deadline all the same comes again.
const ENOUGH: Duration = Duration::from_secs(3);

/// The messages of an event that are ours, each with its id, as `read` reads them; and the ids of the others.
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

/// Whether a batch is to be gone on with.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    over: bool,
}

impl Turns {
    /// Whether one more is to be tried: it would not only meet what the last one met, and there is the time.
    pub(crate) fn go_on(&self) -> bool {
        !self.over && deadline::has(ENOUGH)
    }

    /// After an error of one: the others are not tried if the database is away. It would be the same for them, and time
    /// runs.
    pub(crate) fn failed(&mut self, error: &Error) {
        self.over |= error.is_outage();
    }
}

/// The answer that has these messages delivered again, and no others.
pub(crate) fn again(message_ids: impl IntoIterator<Item = String>) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = message_ids.into_iter().map(failure).collect();
    response
}

/// Counts a message that is not one of ours and gives its id. Delivered again and again, it ends in the dead-letter
/// queue; it is counted, and said, once.
fn count_poison(message: SqsMessage) -> String {
    let message_id = message.message_id.unwrap_or_default();
    // SQS counts the deliveries. Where it does not say, this counts as the first.
    if message.attributes.get("ApproximateReceiveCount").is_none_or(|count| count == "1") {
        Counter::PoisonMessage.add(1);
        tracing::warn!(message_id, "a message of the queue cannot be read");
    }
    message_id
}

fn failure(message_id: String) -> BatchItemFailure {
    let mut failure = BatchItemFailure::default();
    failure.item_identifier = message_id;
    failure
}
