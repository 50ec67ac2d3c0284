//! Waiting for a state of the server, with a bound. No test sleeps and hopes.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_postgres::Client;

/// What takes longer than this has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(2);

/// Looks until it is so.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < end, "waited in vain: {what}");
        sleep(PAUSE).await;
    }
}

/// The backend that serves this client.
pub async fn pid(client: &Client) -> i32 {
    client.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0)
}

/// Waits until this many backends stand behind a lock that the backend `holder` has, or has asked for before them.
/// `client` must not be the holder's.
pub async fn until_blocked(client: &Client, holder: i32, backends: i64) {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid))";
    until("a backend waits for the lock", async || {
        client.query_one(sql, &[&holder]).await.unwrap().get::<_, i64>(0) >= backends
    })
    .await;
}

/// Waits until this many backends of the client's database wait for a lock.
pub async fn until_waiting(client: &Client, backends: i64) {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    until("backends wait for a lock", async || client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) >= backends)
        .await;
}
