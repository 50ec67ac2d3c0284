//! Waits for a state of the server, with a deadline, in place of sleeps of a fixed length.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_postgres::Client;

/// The deadline: a wait that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// The pause between two polls.
const PAUSE: Duration = Duration::from_millis(2);

/// Polls until the condition holds. Panics after 20 s.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < end, "waited in vain: {what}");
        sleep(PAUSE).await;
    }
}

/// Returns the process id of this client's backend.
pub async fn pid(client: &Client) -> i32 {
    client.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0)
}

/// Waits until `backends` backends wait for a lock that the backend `holder` has, or requested before them.
/// `client` must not be the holder's connection.
pub async fn until_blocked(client: &Client, holder: i32, backends: i64) {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid))";
    until("a backend waits for the lock", async || {
        client.query_one(sql, &[&holder]).await.unwrap().get::<_, i64>(0) >= backends
    })
    .await;
}

/// Waits until `backends` backends of the client's database wait for a lock.
pub async fn until_waiting(client: &Client, backends: i64) {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    until("backends wait for a lock", async || client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) >= backends)
        .await;
}
