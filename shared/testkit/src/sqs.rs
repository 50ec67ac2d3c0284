//! Queues: a real SQS endpoint on loopback, and endpoints that are slow, silent or closed.
//!
//! Give a function the queue by two variables: `HOLD_QUEUE_URL` (the queue's URL) and `AWS_ENDPOINT_URL` (the endpoint).

mod fixed_delay;
mod ministack;
mod unreachable;

pub use fixed_delay::{FixedDelayQueue, Sent};
pub use ministack::{Counts, Message, Sqs};
pub use unreachable::{BlackHole, Refusing};

/// What the AWS JSON protocol of SQS calls its bodies.
const CONTENT_TYPE: &str = "application/x-amz-json-1.0";
