//! What the workers behind queues share.

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsMessage};
use boxoffice_shared::metrics::Counter;

/// The answer that has these messages delivered again, and no others.
pub(crate) fn again(message_ids: impl IntoIterator<Item = String>) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = message_ids.into_iter().map(failure).collect();
    response
}

/// Counts a message that is not one of ours and gives its id. Delivered again and again, it ends in the dead-letter
/// queue.
pub(crate) fn poison(message: SqsMessage) -> String {
    let message_id = message.message_id.unwrap_or_default();
    tracing::warn!(message_id, "a message of the queue cannot be read");
    Counter::PoisonMessage.add(1);
    message_id
}

fn failure(message_id: String) -> BatchItemFailure {
    let mut failure = BatchItemFailure::default();
    failure.item_identifier = message_id;
    failure
}
