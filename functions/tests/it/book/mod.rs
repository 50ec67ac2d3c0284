//! The book binary: hold messages and client retries.

mod hold_message;
mod retries;
