//! Takes the personal data out of what is old.

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

/// For how long new batches are begun: the Lambda's 55 s, less one batch and its retries (20 s at most). It is enough for
/// some hundred thousand bookings; what is left then is for the next hour.
const BUDGET: Duration = Duration::from_secs(35);

/// For how long of that batches of payloads are begun, so that neither kind keeps the other from its turn.
const PAYLOADS_BUDGET: Duration = Duration::from_secs(15);

/// What must be left of the function's own time for a batch to be begun, should it be shorter than the template's.
const ENOUGH: Duration = Duration::from_secs(5);

/// The Lambda behind the hourly schedule.
#[derive(Clone, Debug)]
pub struct AnonymiseBookings {
    db: Db,
    retention: Option<Retention>,
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Bookings that were anonymised.
    pub bookings: u64,
    /// Shows that have no names any more.
    pub shows: u64,
    /// Payment events whose payload was emptied for its age.
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

    /// Goes through the shows that started long enough ago, the oldest first, until none is left or the time is up. A run that is
    /// interrupted leaves nothing to mend: what is anonymised stays so, and the next one goes through the same show again.
    ///
    /// One show that fails does not keep the others from their turn; the run then fails at its end.
    async fn work(&self, _: Tick) -> Result<Report, Error> {
        let mut report = Report::default();
        let Some(retention) = self.retention else { return Ok(report) };
        let begun = Instant::now();
        let result = self.run(retention, begun, &mut report).await;
        Counter::Anonymised.add(report.bookings);
        if report != Report::default() {
            let Report { bookings, shows, payloads } = report;
            tracing::info!(bookings, shows, payloads, "took out the personal data of what is old");
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
                    tracing::error!(show_id = %show.id(), ?cause, "a show was not anonymised: {error}");
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

    /// Goes through one show, a page at a time, and marks it if nothing of it is left.
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
                tracing::info!(show_id = %show.id(), left, "a show is not anonymised yet: bookings are pending or locked");
            }
            break;
        }
        Ok(())
    }
}

fn has_time(begun: Instant, budget: Duration) -> bool {
    begun.elapsed() < budget && deadline::has(ENOUGH)
}
