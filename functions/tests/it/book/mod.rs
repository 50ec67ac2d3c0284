//! The book binary, the queue and clients that retry.

mod hold_message;
mod retries;
