//! The single deadline of a request or an event.
//!
//! Each wait (two attempts at the database, the database's secret, the issuer, the queue) has a time limit of its own,
//! and all of them together are longer than a Lambda may run. So the handler sets the deadline once, from Lambda's own,
//! and [`bound`] ends each wait no later than that. A spawned task has no deadline and keeps its own limits, since it
//! is not part of the request.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
//! use boxoffice_shared::platform::deadline::{bound, within};
//! use std::time::Duration;
//! use tokio::time::Instant;
//! let (one, ten) = (Duration::from_secs(1), Duration::from_secs(10));
//! within(Instant::now() + one, async { assert_eq!(bound(ten), one) }).await;
//! assert_eq!(bound(ten), ten);
//! # })
//! ```

use std::time::{Duration, SystemTime};

use tokio::{task_local, time::Instant};

task_local! {
    static DEADLINE: Instant;
}

/// The time reserved for writing the response and for the runtime to deliver it.
const TO_ANSWER: Duration = Duration::from_millis(500);

/// API Gateway gives up after 29 s, however long the Lambda may run.
const GATEWAY: Duration = Duration::from_secs(29);

/// The time limit if Lambda's deadline is not in the future, as with an emulator: the template's `Timeout`.
const UNTOLD: Duration = Duration::from_secs(15);

/// The deadline of a request, whose client waits behind API Gateway.
pub fn of_request(lambda: SystemTime) -> Instant {
    Instant::now() + until(lambda).min(GATEWAY).saturating_sub(TO_ANSWER)
}

/// The deadline of an event. Only Lambda waits for it.
pub fn of_event(lambda: SystemTime) -> Instant {
    Instant::now() + until(lambda).saturating_sub(TO_ANSWER)
}

fn until(lambda: SystemTime) -> Duration {
    match lambda.duration_since(SystemTime::now()) {
        Ok(left) if !left.is_zero() => left,
        _ => UNTOLD,
    }
}

/// Runs a future with a deadline. An earlier deadline that is already set stays in force.
pub async fn within<F: Future>(deadline: Instant, doing: F) -> F::Output {
    let earlier = DEADLINE.try_with(|set| deadline.min(*set)).unwrap_or(deadline);
    DEADLINE.scope(earlier, doing).await
}

/// Runs a future with a deadline that is earlier by `time`, which is left for the work after it.
pub async fn sparing<F: Future>(time: Duration, doing: F) -> F::Output {
    match DEADLINE.try_with(|set| *set) {
        Ok(set) => DEADLINE.scope(set.checked_sub(time).unwrap_or_else(Instant::now), doing).await,
        Err(_) => doing.await,
    }
}

/// The time left until the deadline; `None` without a deadline.
pub fn left() -> Option<Duration> {
    DEADLINE.try_with(|set| set.saturating_duration_since(Instant::now())).ok()
}

/// The time limit of a wait: `most`, or less if the deadline is nearer.
pub fn bound(most: Duration) -> Duration {
    left().map_or(most, |left| left.min(most))
}

/// Whether at least `time` is left.
pub fn has(time: Duration) -> bool {
    left().is_none_or(|left| left >= time)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn all_waits_together_end_by_the_deadline() {
        let begun = Instant::now();
        let deadline = begun + 4 * SECOND;
        within(deadline, async {
            for _ in 0..5 {
                let waited = tokio::time::timeout(bound(3 * SECOND), std::future::pending::<()>()).await;
                assert!(waited.is_err());
            }
            assert_eq!((left(), has(SECOND)), (Some(Duration::ZERO), false));
        })
        .await;
        assert_eq!(begun.elapsed(), 4 * SECOND);
        assert_eq!((left(), has(SECOND)), (None, true));
    }

    #[tokio::test(start_paused = true)]
    async fn an_inner_deadline_is_never_later_than_the_outer() {
        let begun = Instant::now();
        within(begun + 4 * SECOND, async {
            within(begun + 9 * SECOND, async { assert_eq!(bound(60 * SECOND), 4 * SECOND) }).await;
            within(begun + SECOND, async { assert_eq!(bound(60 * SECOND), SECOND) }).await;
            sparing(3 * SECOND, async { assert_eq!(bound(60 * SECOND), SECOND) }).await;
            sparing(9 * SECOND, async { assert_eq!(bound(60 * SECOND), Duration::ZERO) }).await;
        })
        .await;
        sparing(SECOND, async { assert_eq!(left(), None) }).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_leaves_time_to_answer_and_respects_the_gateway() {
        let left = |deadline: Instant| deadline.duration_since(Instant::now()).as_secs_f64();
        let at = |seconds: u64| SystemTime::now() + Duration::from_secs(seconds);
        assert!((14.0..=14.5).contains(&left(of_request(at(15)))));
        assert!((28.4..=28.5).contains(&left(of_request(at(900)))));
        assert!((898.0..=899.5).contains(&left(of_event(at(900)))));
        // A deadline in the past comes from an emulator or a clock that jumped, and is ignored.
        for odd in [SystemTime::UNIX_EPOCH, SystemTime::now() - SECOND] {
            assert!((14.4..=14.5).contains(&left(of_request(odd))));
        }
    }
}
