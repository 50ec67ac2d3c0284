//! Checks of the invariants, and of what keeps the server from cleaning up.

mod check;
mod oldest_snapshot;

pub use check::{CheckCursor, Rule, Violation, check, check_some};
pub use oldest_snapshot::{OldSnapshot, oldest_snapshot};
