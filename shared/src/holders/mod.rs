//! Holders: who holds a booking, and how much one holder may have of a show.

mod holder;
mod idempotency_key;
mod limits;

pub use holder::{Holder, Subject, Viewer};
pub use idempotency_key::IdempotencyKey;
pub use limits::HolderLimits;
