//! The measured part of a run.

use std::time::{Duration, Instant};

use boxoffice_testkit::postgres::Database;
use tokio::time::sleep;
use tokio_postgres::Client;

use super::cpu;
use super::pgbench::Running;
use super::waits::{Sampler, Waits};

/// Enough for 200 connections on a slow machine.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
const POLL_EVERY: Duration = Duration::from_millis(10);

const STOP: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND usename = 'boxoffice'";

/// Which part of a run is measured, counted from the moment when all connections are open.
///
/// The warm-up is not measured: for its first five runs of a statement a connection plans it for each set of values,
/// and then keeps one plan. A Lambda's connection does that once in its life; in a short run with 200 connections it
/// would dominate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    warm_up: Duration,
    length: Duration,
}

impl Window {
    pub(crate) fn of(connections: usize, quick: bool) -> Self {
        let (warm_up_ms, length_ms) = match (quick, connections) {
            (true, _) => (150, 300),
            (false, ..=50) => (500, 1200),
            (false, _) => (1200, 1200),
        };
        Self { warm_up: Duration::from_millis(warm_up_ms), length: Duration::from_millis(length_ms) }
    }
}

/// What was observed during the window.
pub(crate) struct Observed {
    /// The window's start, in microseconds since 1970, by the machine's clock.
    pub(crate) from_us: u64,
    pub(crate) to_us: u64,
    pub(crate) server: Duration,
    pub(crate) client: Duration,
    /// The share of the machine's processors in use, 0 to 1.
    pub(crate) busy: f64,
    pub(crate) waits: Waits,
}

/// Waits for the connections and the warm-up, observes the window, and ends the run.
///
/// # Errors
/// The connections were not opened in time.
pub(crate) async fn observe(
    database: &Database,
    running: &Running,
    postmaster: u32,
    connections: usize,
    window: Window,
) -> Result<Observed, String> {
    let admin = database.admin_client().await;
    let open = wait_for(&admin, connections).await;
    sleep(window.warm_up).await;
    let sampler = Sampler::start(database.admin_client().await);
    let start = Clocks::read(postmaster, running.pid());
    sleep(window.length).await;
    let end = Clocks::read(postmaster, running.pid());
    let waits = sampler.finish().await;
    admin.batch_execute(STOP).await.expect("a superuser may end connections");
    open?;
    let (busy, all) = (end.machine.0 - start.machine.0, end.machine.1 - start.machine.1);
    Ok(Observed {
        from_us: start.at_us,
        to_us: end.at_us,
        server: end.server.saturating_sub(start.server),
        client: end.client.saturating_sub(start.client),
        busy: busy as f64 / all.max(1) as f64,
        waits,
    })
}

async fn wait_for(admin: &Client, connections: usize) -> Result<(), String> {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'boxoffice'";
    let since = Instant::now();
    loop {
        let open: i64 = admin.query_one(sql, &[]).await.expect("pg_stat_activity can be read").get(0);
        if open >= connections as i64 {
            return Ok(());
        }
        if since.elapsed() > CONNECT_TIMEOUT {
            return Err(format!("broken: {open} of {connections} connections are open"));
        }
        sleep(POLL_EVERY).await;
    }
}

struct Clocks {
    at_us: u64,
    server: Duration,
    client: Duration,
    machine: (u64, u64),
}

impl Clocks {
    fn read(postmaster: u32, client: u32) -> Self {
        let at = std::time::UNIX_EPOCH.elapsed().expect("a clock after 1970");
        Self {
            at_us: at.as_micros() as u64,
            server: cpu::of_family(postmaster),
            client: cpu::of(client),
            machine: cpu::of_machine(),
        }
    }
}
