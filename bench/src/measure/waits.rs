//! Samples what backends wait for during a run.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_postgres::Client;

const EVERY: Duration = Duration::from_millis(50);

const SQL: &str = "SELECT coalesce(wait_event_type, ''), coalesce(wait_event, ''), count(*) FROM pg_stat_activity
     WHERE state = 'active' AND backend_type = 'client backend' AND pid <> pg_backend_pid() GROUP BY 1, 2";

/// How the backends that worked on a statement were divided, as shares from 0 to 1.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Waits {
    /// Running, or ready to run and waiting for a processor.
    pub(crate) on_cpu: f64,
    /// Waiting for a row lock of another transaction.
    pub(crate) row_lock: f64,
    /// Waiting for the WAL to reach the disk, by its own write or another backend's.
    pub(crate) commit: f64,
    /// Waiting for anything else.
    pub(crate) other: f64,
}

/// Samples until it is stopped.
pub(crate) struct Sampler {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Waits>,
}

impl Sampler {
    /// Starts sampling on its own connection.
    pub(crate) fn start(client: Client) -> Self {
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(sample(client, stopped));
        Self { stop, task }
    }

    /// Stops sampling and returns the shares.
    pub(crate) async fn finish(self) -> Waits {
        // The task ends only by this message.
        let _ = self.stop.send(());
        self.task.await.expect("the sampler should not fail")
    }
}

async fn sample(client: Client, mut stopped: oneshot::Receiver<()>) -> Waits {
    let mut counts: BTreeMap<&'static str, i64> = BTreeMap::new();
    let statement = client.prepare(SQL).await.expect("pg_stat_activity can be read");
    while tokio::time::timeout(EVERY, &mut stopped).await.is_err() {
        for row in client.query(&statement, &[]).await.expect("pg_stat_activity can be read") {
            *counts.entry(kind(row.get(0), row.get(1))).or_default() += row.get::<_, i64>(2);
        }
    }
    let all = counts.values().sum::<i64>().max(1) as f64;
    let share = |kind: &str| counts.get(kind).copied().unwrap_or_default() as f64 / all;
    Waits { on_cpu: share("cpu"), row_lock: share("row"), commit: share("commit"), other: share("other") }
}

fn kind(event_type: &str, event: &str) -> &'static str {
    match (event_type, event) {
        ("", _) => "cpu",
        ("Lock", _) => "row",
        ("IO", "WALSync" | "WALWrite") | ("LWLock", "WALWrite") => "commit",
        _ => "other",
    }
}
