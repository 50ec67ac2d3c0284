//! Waits for a condition, with a deadline, in place of sleeps of a fixed length.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// The deadline: a wait that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// The pause between two polls.
const PAUSE: Duration = Duration::from_millis(2);

/// Polls until the condition holds.
///
/// # Panics
/// It does not hold within 30 s; `what` names it.
pub async fn until(what: &str, condition: impl AsyncFnMut() -> bool) {
    until_within(PATIENCE, what, condition).await;
}

/// As [`until`], with another deadline.
///
/// # Panics
/// The condition does not hold in time; `what` names it.
pub async fn until_within(limit: Duration, what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + limit;
    while !condition().await {
        assert!(Instant::now() < end, "waited {limit:?} in vain: {what}");
        sleep(PAUSE).await;
    }
}
