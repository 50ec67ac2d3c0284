//! Waits for a state of the server, with a deadline, in place of sleeps of a fixed length.

pub use boxoffice_testkit::wait::until;
use tokio_postgres::Client;

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
