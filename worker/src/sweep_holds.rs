//! Ends the holds whose messages never came, and looks for what must never be.

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

/// For how long new batches are begun: the schedule's minute, less one batch and its retries (20 s at most).
const BUDGET: Duration = Duration::from_secs(35);

/// For how long a run looks for broken invariants: some hundred thousand rows, and one connection for a thirtieth of the
/// time.
const CHECK_BUDGET: Duration = Duration::from_secs(2);

/// A run that has swept for longer than this has no time left to look: one look may take 4 s, and 11 s if the database
/// falls silent.
const CHECK_BEFORE: Duration = Duration::from_secs(35);

/// What must be left of the function's own time for a batch or a look to be begun, should it be shorter than the template's.
const ENOUGH: Duration = Duration::from_secs(5);

/// Transactions since a snapshot, from which on somebody should end it: the alarm's threshold in the template. At 2,000 bookings a
/// second and as many that are paid or end, it is 25 s old; a statement of the functions may take 4 s.
const OLD_SNAPSHOT: u64 = 100_000;

/// Shows that one run passes over at most. If more are damaged, what is damaged is not the shows.
const MAX_PASSED_OVER: usize = 100;

/// The Lambda behind the schedule.
#[derive(Clone, Debug)]
pub struct SweepHolds {
    db: Db,
    /// How far this instance has looked for broken invariants.
    checked: Arc<Mutex<CheckCursor>>,
}

/// Any event: what is due is in the database, not in the message.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(from = "serde::de::IgnoredAny")]
pub struct Tick;

impl From<serde::de::IgnoredAny> for Tick {
    fn from(_: serde::de::IgnoredAny) -> Self {
        Self
    }
}

/// What a run did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Swept {
    /// Holds that were expired.
    pub expired: u64,
    /// Broken invariants that were found.
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

    /// Sweeps in batches until nothing is due or the time is up; what is left then is for the next minute. Then measures the oldest
    /// snapshot, and looks for broken invariants in as many rows as the time allows, and goes on from there in the next minute.
    async fn work(&self, _: Tick) -> Result<Swept, Error> {
        let begun = Instant::now();
        let expired = self.sweep(begun).await?;
        let mut swept = Swept { expired, violations: 0 };
        if swept.expired > 0 {
            tracing::info!(expired = swept.expired, "swept holds whose message had not come");
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
    /// Sweeps batch after batch until nothing is due or the time is up, and gives the number of holds that were expired.
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
                    tracing::warn!(cause = ?error.source(), "a batch failed as one; each show is tried by itself: {error}");
                    expired += self.sweep_each(&mut passed_over, begun).await?;
                    // It was no show's fault, or that of too many.
                    if before == (expired, passed_over.len()) {
                        return Err(error);
                    }
                }
            }
        }
        Ok(expired)
    }

    /// Expires what is due show by show, and adds those to `passed_over` whose holds could not be: a show that is damaged,
    /// a row that is locked for too long.
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

    /// Measures what slows everybody down and is nobody's error. That it cannot be measured is no reason to call the sweep failed.
    async fn measure(&self) {
        match checks::oldest_snapshot(&self.db).await {
            Ok(None) => Gauge::SnapshotAge.set(0),
            Ok(Some(snapshot)) => {
                Gauge::SnapshotAge.set(snapshot.age);
                if snapshot.age >= OLD_SNAPSHOT {
                    let (age, holder) = (snapshot.age, snapshot.holder);
                    tracing::warn!(
                        age,
                        ?holder,
                        "an old snapshot keeps the server from cleaning up: pools grow until it ends"
                    );
                }
            }
            Err(error) => tracing::warn!(cause = ?error.source(), "snapshots were not measured: {error}"),
        }
    }

    /// Looks for broken invariants, says and counts them, and gives their number. A look that fails is no reason to call
    /// the sweep failed: the next minute looks again.
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
                    tracing::error!(cause = ?error.source(), "no look at the invariants: {error}");
                    Counter::CheckFailed.add(1);
                    // The next time what comes after this part: not at this place for ever, if it is here that it fails.
                    at = cursor.next_part();
                    break;
                }
            }
        }
        *self.checked.lock().unwrap_or_else(PoisonError::into_inner) = at.unwrap_or(CheckCursor::START);
        found
    }
}

/// Says, and counts where it will not mend itself, that a show's holds were not expired.
fn pass_over(show: ShowId, error: &Error) {
    let cause = error.source();
    if matches!(error, Error::Busy(_)) {
        tracing::warn!(show_id = %show, ?cause, "a show is passed over by this sweep: {error}");
    } else {
        tracing::error!(show_id = %show, ?cause, "a show is damaged, and passed over by this sweep: {error}");
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
