//! The one deadline that a request or an event has.
//!
//! Each wait has a bound of its own, and together they are longer than a Lambda may run: two attempts at the database, its secret,
//! the issuer, the queue. So whoever serves sets the deadline once, from Lambda's own, and each of these waits ends no later: by
//! [`bound`]. A task that is spawned has none and keeps its own bounds: it is not the request's.
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

/// What is left for the answer itself: to write it, and for the runtime to hand it over.
const TO_ANSWER: Duration = Duration::from_millis(500);

/// API Gateway gives up after 29 s, however long the Lambda may run.
const GATEWAY: Duration = Duration::from_secs(29);

/// Where Lambda's deadline is no time to come, an emulator has made it up: the template's `Timeout`.
const UNTOLD: Duration = Duration::from_secs(15);

/// The deadline of a request, whose client waits behind API Gateway.
pub fn of_request(lambda: SystemTime) -> Instant {
    Instant::now() + until(lambda).min(GATEWAY).saturating_sub(TO_ANSWER)
}

/// The deadline of an event, for which nobody waits but Lambda.
pub fn of_event(lambda: SystemTime) -> Instant {
    Instant::now() + until(lambda).saturating_sub(TO_ANSWER)
}

fn until(lambda: SystemTime) -> Duration {
    match lambda.duration_since(SystemTime::now()) {
        Ok(left) if !left.is_zero() => left,
        _ => UNTOLD,
    }
}

/// Does this with a deadline; with an earlier one, if it has that already.
pub async fn within<F: Future>(deadline: Instant, doing: F) -> F::Output {
    let earlier = DEADLINE.try_with(|set| deadline.min(*set)).unwrap_or(deadline);
    DEADLINE.scope(earlier, doing).await
}

/// Does this so that of the time that there is so much is spared, for what comes after it.
pub async fn sparing<F: Future>(time: Duration, doing: F) -> F::Output {
    match DEADLINE.try_with(|set| *set) {
        Ok(set) => DEADLINE.scope(set.checked_sub(time).unwrap_or_else(Instant::now), doing).await,
        Err(_) => doing.await,
    }
}

/// The time that is left; `None` without a deadline.
pub fn left() -> Option<Duration> {
    DEADLINE.try_with(|set| set.saturating_duration_since(Instant::now())).ok()
}

/// How long something may take that may take so long at most.
pub fn bound(most: Duration) -> Duration {
    left().map_or(most, |left| left.min(most))
}

/// Whether there is as much time as this.
pub fn has(time: Duration) -> bool {
    left().is_none_or(|left| left >= time)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn all_waits_together_end_by_it() {
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
    async fn an_inner_one_is_never_later() {
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
    async fn it_is_lambdas_less_the_time_to_answer_and_the_gateways_if_that_is_earlier() {
        let left = |deadline: Instant| deadline.duration_since(Instant::now()).as_secs_f64();
        let at = |seconds: u64| SystemTime::now() + Duration::from_secs(seconds);
        assert!((14.0..=14.5).contains(&left(of_request(at(15)))));
        assert!((28.4..=28.5).contains(&left(of_request(at(900)))));
        assert!((898.0..=899.5).contains(&left(of_event(at(900)))));
        // A time that is over is none: of an emulator, or a clock that jumped.
        for odd in [SystemTime::UNIX_EPOCH, SystemTime::now() - SECOND] {
            assert!((14.4..=14.5).contains(&left(of_request(odd))));
        }
    }
}
