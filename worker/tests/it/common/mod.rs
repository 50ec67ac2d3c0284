//! A database with a show and bookings in every state, and the real binaries under a Lambda runtime.
#![allow(unreachable_pub, reason = "tests")]

use std::{sync::Arc, time::Duration};

pub use boxoffice_testkit::wait::until;
use boxoffice_testkit::{
    lambda::{Builder, Instance},
    postgres::Database,
};
use serde_json::{Value, json};

/// A show with two pools of 50 seats.
const SHOW: &str = "WITH show AS (
        INSERT INTO shows (name, start_time, total_seats, max_seats_per_booking, pools)
        VALUES ('The Tempest', now() + interval '1 day', 100, 10, 2)
        RETURNING id
    )
    INSERT INTO seat_pools (show_id, pool_no, free) SELECT id, pool_no, 50 FROM show, generate_series(0, 1) AS pool_no";

/// Inserts bookings of two seats. $1: their number, $2: status, $3: failure_reason, $4: seconds until the hold ends.
const BOOKINGS: &str = "WITH booked AS (
        INSERT INTO bookings (show_id, id, user_name, seats, status, failure_reason, created_at, expires_at, settled_at)
        SELECT 1, gen_random_uuid(), 'Ada', 2, $2, $3, now() - interval '2 hours', now() + make_interval(secs => $4),
            CASE WHEN $2 <> 'PENDING' THEN now() END
        FROM generate_series(1, $1)
        RETURNING show_id || '-' || id AS id
    ), taken AS (
        UPDATE seat_pools SET free = free - 2 * $1 WHERE pool_no = 0 AND $2 <> 'FAILED'
    )
    SELECT id FROM booked";

/// The database of a test, and a connection as its owner.
#[derive(Clone)]
pub struct Stage {
    pub database: Database,
    pub client: Arc<tokio_postgres::Client>,
}

impl Stage {
    pub async fn new() -> Self {
        Self::on(Database::create().await).await
    }

    pub async fn on(database: Database) -> Self {
        let client = database.client().await;
        client.batch_execute(SHOW).await.unwrap();
        Self { database, client: Arc::new(client) }
    }

    /// Inserts `count` identical bookings of two seats. Returns their ids.
    pub async fn bookings(&self, count: i32, status: &str, reason: Option<&str>, ends_in: f64) -> Vec<String> {
        let rows = self.client.query(BOOKINGS, &[&count, &status, &reason, &ends_in]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    async fn one(&self, status: &str, reason: Option<&str>, ends_in: f64) -> String {
        self.bookings(1, status, reason, ends_in).await.remove(0)
    }

    /// A hold that is over but not expired.
    pub async fn due(&self) -> String {
        self.one("PENDING", None, -1.0).await
    }

    /// A hold that ends in `seconds`.
    pub async fn pending(&self, seconds: f64) -> String {
        self.one("PENDING", None, seconds).await
    }

    pub async fn confirmed(&self) -> String {
        self.one("CONFIRMED", None, -1.0).await
    }

    pub async fn cancelled(&self) -> String {
        self.one("FAILED", Some("cancelled"), -1.0).await
    }

    pub async fn expired(&self) -> String {
        self.one("FAILED", Some("expired"), -1.0).await
    }

    /// `PENDING`, `CONFIRMED`, `FAILED expired` or `FAILED cancelled`.
    pub async fn status(&self, id: &str) -> String {
        let sql = "SELECT concat_ws(' ', status, failure_reason) FROM bookings WHERE show_id || '-' || id = $1";
        self.client.query_one(sql, &[&id]).await.unwrap().get(0)
    }

    pub async fn free(&self) -> i64 {
        self.client.query_one("SELECT sum(free) FROM seat_pools", &[]).await.unwrap().get(0)
    }

    /// Waits until a backend waits for a lock of this client. Returns the process id of that backend.
    pub async fn waiting_for(&self, holder: &tokio_postgres::Client) -> i32 {
        let holder: i32 = holder.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
        let mut found = None;
        until("a backend waits for the lock", async || {
            let sql = "SELECT pid FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid))";
            found = self.client.query_opt(sql, &[&holder]).await.unwrap().map(|row| row.get(0));
            found.is_some()
        })
        .await;
        found.unwrap()
    }

    /// Whether a backend waits for a lock of the backend `pid`.
    pub async fn is_blocked_by(&self, pid: i32) -> bool {
        let sql = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid)))";
        self.client.query_one(sql, &[&pid]).await.unwrap().get(0)
    }

    /// Whether the backend `pid` still exists.
    pub async fn has_backend(&self, pid: i32) -> bool {
        let sql = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)";
        self.client.query_one(sql, &[&pid]).await.unwrap().get(0)
    }

    /// Starts a worker's binary with this database and this AWS endpoint.
    pub async fn worker(&self, binary: &str, endpoint: &str, queue_url: &str) -> Instance {
        let instance = builder(binary, endpoint, queue_url).env("DATABASE_URL", self.database.url()).start().await;
        instance.ready().await.unwrap();
        instance
    }
}

/// A worker without a database yet, with the template's timeout.
pub fn builder(binary: &str, endpoint: &str, queue_url: &str) -> Builder {
    Instance::builder(binary)
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("HOLD_QUEUE_URL", queue_url)
        .timeout(Duration::from_secs(30))
}

/// The body of a hold message.
pub fn body(booking_id: &str) -> String {
    json!({ "booking_id": booking_id }).to_string()
}

/// The ids of the messages that a batch report lists as failed, sorted.
pub fn failures(report: &Value) -> Vec<&str> {
    let failures = report["batchItemFailures"]
        .as_array()
        .unwrap_or_else(|| panic!("the report has no list of failures: {report}"));
    let mut ids: Vec<_> = failures.iter().map(|failure| failure["itemIdentifier"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids
}
