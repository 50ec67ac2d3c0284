//! The Lambda `sweep-holds`: expires holds whose message did not arrive, and checks the invariants.

use std::{
    collections::BTreeSet,
    error::Error as _,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use boxoffice_shared::{
    Error,
    bookings::{self, ExpireOutcome},
    checks::{self, CheckCursor, Rule, Violation},
    error::Cause,
    metrics::{Counter, Gauge},
    platform::{
        config::{Environment, Reader},
        db::Db,
        deadline,
        start::start,
    },
    shows::ShowId,
};
use serde::{Deserialize, Serialize};

use crate::run::Worker;

/// No batch is started after this time: the schedule's minute, less one batch and its retries (at most 20 s).
const BUDGET: Duration = Duration::from_secs(35);

/// How long a run checks invariants. That is enough for some hundred thousand rows, and uses one connection for a thirtieth of the
/// time.
const CHECK_BUDGET: Duration = Duration::from_secs(2);

/// A run that has swept for longer than this checks no invariants: a check may take 4 s, and 11 s if the database stops
/// answering.
const CHECK_BEFORE: Duration = Duration::from_secs(35);

/// A batch or a check is started only if this much of the function's time is left, for a timeout that is shorter than the
/// template's.
const ENOUGH: Duration = Duration::from_secs(5);

/// The age of a snapshot, in transactions, that is logged as a warning. It is the threshold of the alarm in the template. At 2,000
/// bookings a second, and as many payments and expiries, such a snapshot is 25 s old; our statements take at most 4 s.
const OLD_SNAPSHOT: u64 = 100_000;

/// The maximum number of shows that a run skips. If more shows fail, the shows are not the cause.
const MAX_PASSED_OVER: usize = 100;

/// The Lambda behind the schedule.
#[derive(Clone, Debug)]
pub struct SweepHolds {
    db: Db,
    /// How far this instance has checked the invariants.
    checked: Arc<Mutex<CheckCursor>>,
}

/// Any event. It is not read, because the database has what is due.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(from = "serde::de::IgnoredAny")]
pub struct Tick;

impl From<serde::de::IgnoredAny> for Tick {
    fn from(_: serde::de::IgnoredAny) -> Self {
        Self
    }
}

/// The result of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Swept {
    /// The number of holds that were expired.
    pub expired: u64,
    /// The number of broken invariants that were found.
    pub violations: u64,
}

impl Worker for SweepHolds {
    type Event = Tick;
    type Report = Swept;

    async fn start() -> Result<Self, Cause> {
        let mut reader = Reader::new(&Environment);
        let settings = (reader.database(), reader.concurrency());
        let (database, connections) = reader.finish(settings)?;
        Ok(Self { db: start(database, connections).await?.0, checked: Arc::new(Mutex::new(CheckCursor::START)) })
    }

    /// Sweeps in batches until nothing is due or the time is over; the next run does the rest. Then measures the age of the oldest
    /// snapshot, and checks the invariants of as many rows as the time allows. The next run goes on from there.
    async fn work(&self, _: Tick) -> Result<Swept, Error> {
        let begun = Instant::now();
        let expired = self.sweep(begun).await?;
        let mut swept = Swept { expired, violations: 0 };
        if swept.expired > 0 {
            tracing::info!(expired = swept.expired, "expired holds whose message had not arrived");
        }
        if deadline::has(ENOUGH) {
            self.measure().await;
        }
        if begun.elapsed() < CHECK_BEFORE && deadline::has(ENOUGH) {
            swept.violations = self.check().await;
        }
        Ok(swept)
    }
}

impl SweepHolds {
    /// Sweeps in batches until nothing is due or the time is over, and gives the number of expired holds.
    async fn sweep(&self, begun: Instant) -> Result<u64, Error> {
        let (mut expired, mut passed_over) = (0, BTreeSet::new());
        while begun.elapsed() <= BUDGET && deadline::has(ENOUGH) {
            let before = (expired, passed_over.len());
            match bookings::sweep_except(&self.db, &passed_over).await {
                Ok(batch) => {
                    Counter::Expired.add(batch);
                    expired += batch;
                    if batch < bookings::MAX_BATCH.into() {
                        break;
                    }
                }
                Err(error) if error.is_outage() => return Err(error),
                Err(error) => {
                    tracing::warn!(cause = ?error.source(), "a batch failed; each show will be tried on its own: {error}");
                    expired += self.sweep_each(&mut passed_over, begun).await?;
                    // The shows are not the cause, or there are too many.
                    if before == (expired, passed_over.len()) {
                        return Err(error);
                    }
                }
            }
        }
        Ok(expired)
    }

    /// Expires the holds show by show. Adds a show whose holds could not be expired to `passed_over`, because it is damaged or one of
    /// its rows is locked for too long.
    async fn sweep_each(&self, passed_over: &mut BTreeSet<ShowId>, begun: Instant) -> Result<u64, Error> {
        let mut expired = 0;
        for (show, holds) in bookings::due(&self.db, passed_over).await? {
            if begun.elapsed() > BUDGET || !deadline::has(ENOUGH) || passed_over.len() >= MAX_PASSED_OVER {
                break;
            }
            match bookings::expire(&self.db, &holds).await {
                Ok(outcomes) => {
                    let count = outcomes.values().filter(|outcome| **outcome == ExpireOutcome::Expired).count() as u64;
                    Counter::Expired.add(count);
                    expired += count;
                }
                Err(error) if error.is_outage() => return Err(error),
                Err(error) => {
                    pass_over(show, &error);
                    passed_over.insert(show);
                }
            }
        }
        Ok(expired)
    }

    /// Measures the oldest snapshot, which slows down all bookings. If that fails, the sweep does not fail.
    async fn measure(&self) {
        match checks::oldest_snapshot(&self.db).await {
            Ok(None) => Gauge::SnapshotAge.set(0),
            Ok(Some(snapshot)) => {
                Gauge::SnapshotAge.set(snapshot.age);
                if snapshot.age >= OLD_SNAPSHOT {
                    let (age, holder) = (snapshot.age, snapshot.holder);
                    tracing::warn!(age, ?holder, "an old snapshot prevents vacuum; bookings slow down until it ends");
                }
            }
            Err(error) => tracing::warn!(cause = ?error.source(), "the age of snapshots was not measured: {error}"),
        }
    }

    /// Checks the invariants, logs and counts the broken ones, and gives their number. If a check fails, the sweep does not fail:
    /// the next run checks again.
    async fn check(&self) -> u64 {
        let begun = Instant::now();
        let mut at = Some(self.checked.lock().unwrap_or_else(PoisonError::into_inner).clone());
        let mut found = 0;
        while let Some(cursor) = at.clone().filter(|_| begun.elapsed() <= CHECK_BUDGET) {
            match checks::check_some(&self.db, &cursor).await {
                Ok((violations, next)) => {
                    violations.iter().for_each(tell);
                    found += violations.len() as u64;
                    at = next;
                }
                Err(error) => {
                    tracing::error!(cause = ?error.source(), "the invariants were not checked: {error}");
                    Counter::CheckFailed.add(1);
                    // Next time with the following part, so that a part that always fails does not stop the others.
                    at = cursor.next_part();
                    break;
                }
            }
        }
        *self.checked.lock().unwrap_or_else(PoisonError::into_inner) = at.unwrap_or(CheckCursor::START);
        found
    }
}

/// Logs that a show was skipped. Counts it, unless a lock is the cause, which goes away.
fn pass_over(show: ShowId, error: &Error) {
    let cause = error.source();
    if matches!(error, Error::Busy(_)) {
        tracing::warn!(show_id = %show, ?cause, "skipped a show in this sweep: {error}");
    } else {
        tracing::error!(show_id = %show, ?cause, "skipped a damaged show in this sweep: {error}");
        Counter::ShowPassedOver.add(1);
    }
}

fn tell(violation: &Violation) {
    tracing::error!(rule = ?violation.rule, "an invariant is broken: {violation}");
    Counter::InvariantBroken.add(1);
    match violation.rule {
        Rule::PaidIsConfirmed | Rule::SuccessIsDecided => Counter::PaidNotConfirmed.add(1),
        Rule::Seats | Rule::HolderCount | Rule::PaidIsItsAmount | Rule::PaidOnce | Rule::RefundedHasRefund => {}
    }
}
