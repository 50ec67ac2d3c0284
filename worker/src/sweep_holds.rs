//! Ends the holds whose messages never came, and looks for what must never be.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use boxoffice_shared::{
    Error,
    config::{Environment, Reader},
    db::Db,
    error::Cause,
    metrics::Counter,
    model::ShowId,
    ops::{self, Rule, Violation},
    start::start,
};
use serde::{Deserialize, Serialize};

use crate::run::Worker;

/// For how long new batches are begun: the schedule's minute, less one batch and its retries (20 s at most).
const BUDGET: Duration = Duration::from_secs(35);

/// For how long a run looks for broken invariants: some thousands of shows, and one connection for a thirtieth of the time.
const CHECK_BUDGET: Duration = Duration::from_secs(2);

/// A run that has swept for longer than this has no time left to look: one look may take 4 s, and 11 s if the database
/// falls silent.
const CHECK_BEFORE: Duration = Duration::from_secs(35);

/// The Lambda behind the schedule.
#[derive(Clone, Debug)]
pub struct SweepHolds {
    db: Db,
    /// The show up to which this instance has looked for broken invariants; `None`: it begins anew.
    checked: Arc<Mutex<Option<ShowId>>>,
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
        let (database, connections) = (reader.database(), reader.concurrency());
        let (database, connections) = reader.finish(database.zip(connections))?;
        Ok(Self { db: start(database, connections).await?.0, checked: Arc::default() })
    }

    /// Sweeps in batches until nothing is due or the time is up; what is left then is for the next minute. Then looks
    /// for broken invariants in as many shows as the time allows, and goes on from there in the next minute.
    async fn work(&self, _: Tick) -> Result<Swept, Error> {
        let begun = Instant::now();
        let mut swept = Swept { expired: 0, violations: 0 };
        loop {
            let batch = ops::sweep(&self.db).await?;
            Counter::Expired.add(batch);
            swept.expired += batch;
            if batch < ops::MAX_BATCH.into() || begun.elapsed() > BUDGET {
                break;
            }
        }
        if swept.expired > 0 {
            tracing::info!(expired = swept.expired, "swept holds whose message had not come");
        }
        if begun.elapsed() < CHECK_BEFORE {
            swept.violations = self.check().await;
        }
        Ok(swept)
    }
}

impl SweepHolds {
    /// Looks for broken invariants, says and counts them, and gives their number. A look that fails is no reason to call
    /// the sweep failed: the next minute looks again.
    async fn check(&self) -> u64 {
        let begun = Instant::now();
        let mut after = *self.checked.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = 0;
        loop {
            match ops::check_some(&self.db, after).await {
                Ok((violations, last)) => {
                    violations.iter().for_each(tell);
                    found += violations.len() as u64;
                    after = last;
                }
                Err(error) => {
                    tracing::error!(cause = ?std::error::Error::source(&error), "no look at the invariants: {error}");
                    Counter::CheckFailed.add(1);
                    // From the first show again: not at this place for ever, if it is here that it fails.
                    after = None;
                    break;
                }
            }
            if after.is_none() || begun.elapsed() > CHECK_BUDGET {
                break;
            }
        }
        *self.checked.lock().unwrap_or_else(PoisonError::into_inner) = after;
        found
    }
}

fn tell(violation: &Violation) {
    tracing::error!(rule = ?violation.rule, "an invariant is broken: {violation}");
    Counter::InvariantBroken.add(1);
    match violation.rule {
        Rule::PaidIsConfirmed | Rule::SuccessIsDecided => Counter::PaidNotConfirmed.add(1),
        Rule::Seats | Rule::PaidIsItsAmount | Rule::PaidOnce | Rule::RefundedHasRefund => {}
    }
}
