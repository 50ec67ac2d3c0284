//! Ends the holds whose messages never came.

use std::time::{Duration, Instant};

use boxoffice_shared::{
    Error,
    config::{Environment, Reader},
    db::Db,
    error::Cause,
    metrics::Counter,
    ops,
    start::start,
};
use serde::{Deserialize, Serialize};

use crate::run::Worker;

/// For how long new batches are begun: the schedule's minute, less one batch and its retries (20 s at most).
const BUDGET: Duration = Duration::from_secs(35);

/// The Lambda behind the schedule.
#[derive(Clone, Debug)]
pub struct SweepHolds {
    db: Db,
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
}

impl Worker for SweepHolds {
    type Event = Tick;
    type Report = Swept;

    async fn start() -> Result<Self, Cause> {
        let mut reader = Reader::new(&Environment);
        let (database, connections) = (reader.database(), reader.concurrency());
        let (database, connections) = reader.finish(database.zip(connections))?;
        Ok(Self { db: start(database, connections).await?.0 })
    }

    /// Sweeps in batches until nothing is due or the time is up; what is left then is for the next minute.
    async fn work(&self, _: Tick) -> Result<Swept, Error> {
        let begun = Instant::now();
        let mut swept = Swept { expired: 0 };
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
        Ok(swept)
    }
}
