//! Exports and erases a subject's data.

use std::time::{Duration, Instant};

use boxoffice_shared::{metrics::Counter, privacy};
use serde_json::json;

use super::Admin;
use crate::http::{Call, Problem, Reply};

/// A call of an erasure starts no batch after this time: the Lambda's 15 s, less one batch and its retries (10 s).
const ERASURE_BUDGET: Duration = Duration::from_secs(4);

impl Admin {
    pub(super) async fn export_subject(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let (subject, limit, after) = call.subject_page()?;
        let page = privacy::export(&self.db, &subject, limit, after).await?;
        tracing::info!(bookings = page.items.len(), "exported a subject's data");
        Ok(Reply::page("bookings", &page, &subject))
    }

    /// Erases in batches, each a transaction, until nothing is left or the time is over. If a call fails, what it erased stays
    /// erased, and repeating the call does the rest.
    pub(super) async fn erase_subject(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let subject = call.about_subject()?;
        let (begun, mut erased, mut more) = (Instant::now(), 0, true);
        while more && begun.elapsed() < ERASURE_BUDGET {
            let batch = privacy::erase(&self.db, &subject).await?;
            Counter::Anonymised.add(batch);
            erased += batch;
            more = batch == u64::from(privacy::MAX_ERASED);
        }
        tracing::info!(erased, more, "erased bookings of a subject");
        Ok(Reply::ok(&json!({ "erased": erased, "more": more })))
    }
}
