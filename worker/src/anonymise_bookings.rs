//! The Lambda `anonymise-bookings`: removes personal data from old bookings and payment events.

use std::time::{Duration, Instant};

use boxoffice_shared::{
    Error,
    error::Cause,
    metrics::Counter,
    platform::{
        config::{Environment, Reader},
        db::Db,
        deadline,
        start::start,
    },
    privacy::{self, DueShow, Retention},
};
use serde::Serialize;

use crate::{run::Worker, sweep_holds::Tick};

/// No batch is started after this time: the Lambda's 55 s, less one batch and its retries (at most 20 s). It is enough for some
/// hundred thousand bookings; the next run does the rest.
const BUDGET: Duration = Duration::from_secs(35);

/// No batch of payloads is started after this time, so that there is time for bookings.
const PAYLOADS_BUDGET: Duration = Duration::from_secs(15);

/// A batch is started only if this much of the function's time is left, for a timeout that is shorter than the template's.
const ENOUGH: Duration = Duration::from_secs(5);

/// The Lambda behind the hourly schedule.
#[derive(Clone, Debug)]
pub struct AnonymiseBookings {
    db: Db,
    retention: Option<Retention>,
}

/// The result of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The number of bookings that were anonymised.
    pub bookings: u64,
    /// The number of shows whose bookings are all anonymised.
    pub shows: u64,
    /// The number of payment events whose payload was removed because of its age.
    pub payloads: u64,
}

impl Worker for AnonymiseBookings {
    type Event = Tick;
    type Report = Report;

    async fn start() -> Result<Self, Cause> {
        let mut reader = Reader::new(&Environment);
        let settings = (reader.database(), reader.concurrency(), reader.retention());
        let (database, connections, retention) = reader.finish(settings)?;
        Ok(Self { db: start(database, connections).await?.0, retention })
    }

    /// Goes through the shows that started long enough ago, the oldest first, until none is left or the time is over. If a run is
    /// interrupted, the next run goes through the same show again.
    ///
    /// If a show fails, the run goes on with the others and fails at its end.
    async fn work(&self, _: Tick) -> Result<Report, Error> {
        let mut report = Report::default();
        let Some(retention) = self.retention else { return Ok(report) };
        let begun = Instant::now();
        let result = self.run(retention, begun, &mut report).await;
        Counter::Anonymised.add(report.bookings);
        if report != Report::default() {
            let Report { bookings, shows, payloads } = report;
            tracing::info!(bookings, shows, payloads, "removed old personal data");
        }
        result.map(|()| report)
    }
}

impl AnonymiseBookings {
    async fn run(&self, retention: Retention, begun: Instant, report: &mut Report) -> Result<(), Error> {
        self.empty_payloads(retention, begun, report).await?;
        let (mut after, mut failed) = (None, None);
        while has_time(begun, BUDGET)
            && let Some(show) = privacy::due_show(&self.db, retention, after).await?
        {
            after = Some(show);
            match self.anonymise(show, begun, report).await {
                Ok(()) => {}
                Err(error) if error.is_outage() => return Err(error),
                Err(error) => {
                    let cause = std::error::Error::source(&error);
                    tracing::error!(show_id = %show.id(), ?cause, "a show was not anonymised; the next run tries again: {error}");
                    failed = Some(error);
                }
            }
        }
        failed.map_or(Ok(()), Err)
    }

    async fn empty_payloads(&self, retention: Retention, begun: Instant, report: &mut Report) -> Result<(), Error> {
        while has_time(begun, PAYLOADS_BUDGET) {
            let batch = privacy::empty_payloads(&self.db, retention).await?;
            report.payloads += batch;
            if batch < privacy::MAX_PAYLOADS.into() {
                break;
            }
        }
        Ok(())
    }

    /// Anonymises one show, page by page, and marks it if nothing is left.
    async fn anonymise(&self, show: DueShow, begun: Instant, report: &mut Report) -> Result<(), Error> {
        let (mut after, mut left) = (None, 0);
        while has_time(begun, BUDGET) {
            let page = privacy::anonymise(&self.db, show, after).await?;
            report.bookings += page.bookings;
            left += page.left;
            if page.last.is_some() {
                after = page.last;
                continue;
            }
            if left == 0 {
                privacy::mark_anonymised(&self.db, show).await?;
                report.shows += 1;
            } else {
                tracing::info!(show_id = %show.id(), left, "a show is not fully anonymised, because bookings are pending or locked; the next run goes on");
            }
            break;
        }
        Ok(())
    }
}

fn has_time(begun: Instant, budget: Duration) -> bool {
    begun.elapsed() < budget && deadline::has(ENOUGH)
}
