//! Queues: a real SQS endpoint on loopback, and endpoints that are slow, silent or closed.
//!
//! Pass the queue to a function in two variables: `HOLD_QUEUE_URL` (the queue's URL) and `AWS_ENDPOINT_URL` (the
//! endpoint).

mod fixed_delay;
mod ministack;
mod unreachable;

pub use fixed_delay::{FixedDelayQueue, Sent};
pub use ministack::{Counts, Message, Sqs};
pub use unreachable::{BlackHole, Refusing};

/// The content type of SQS's AWS JSON protocol.
const CONTENT_TYPE: &str = "application/x-amz-json-1.0";
