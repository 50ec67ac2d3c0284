//! The same booking as a Lua script in Redis, if redis-server is installed.

use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::measure::stats::Latency;

const SCRIPT: &str = include_str!("../../sql/booking.lua");
const SEATS: u64 = 1_000_000;
const SEATS_A_BOOKING: u64 = 2;
const START_TIMEOUT: Duration = Duration::from_secs(10);
const RUN_TIMEOUT: Duration = Duration::from_secs(60);

/// How Redis persists its data.
#[derive(Clone, Copy)]
pub(super) struct Durability {
    pub(super) name: &'static str,
    appendfsync: &'static str,
    bookings: u64,
}

/// The modes of `appendonly yes`. The default is `no`, which has neither.
pub(super) const DURABILITIES: [Durability; 2] = [
    Durability {
        name: "Redis Lua, fsync every second: a crash loses a second",
        appendfsync: "everysec",
        bookings: 60_000,
    },
    Durability { name: "Redis Lua, fsync before each response", appendfsync: "always", bookings: 20_000 },
];

/// The figures of a run.
pub(super) struct Run {
    pub(super) bookings_per_s: f64,
    pub(super) latency: Latency,
}

/// Whether redis-server is installed.
pub(super) async fn is_installed() -> bool {
    let version = Command::new("redis-server").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    version.await.is_ok_and(|status| status.success())
}

/// Runs redis-benchmark with this many connections on a new server with one show.
pub(super) async fn run(durability: Durability, connections: usize, quick: bool) -> Result<Run, String> {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let server = Server::start(durability, dir.path()).await?;
    server.cli(&["SET", "free", &SEATS.to_string()]).await?;
    let script = server.cli(&["SCRIPT", "LOAD", SCRIPT]).await?;
    let count = if quick { durability.bookings / 20 } else { durability.bookings };
    let output = server.load(&script, connections, count).await?;
    let booked: u64 = number(&server.cli(&["HLEN", "bookings"]).await?)? as u64;
    let free: u64 = number(&server.cli(&["GET", "free"]).await?)? as u64;
    if free + booked * SEATS_A_BOOKING != SEATS {
        return Err(format!("broken: {free} free + {booked} bookings do not add up to the show's seats"));
    }
    // "test","rps","avg","min","p50","p95","p99","max"
    let line = output.lines().last().unwrap_or_default();
    let fields: Vec<f64> = line.split("\",\"").flat_map(|field| field.trim_matches('"').parse()).collect();
    let [rps, _, _, p50_ms, p95_ms, p99_ms, max_ms] = fields[..] else {
        return Err(format!("unexpected output of redis-benchmark: {output:?}"));
    };
    let bookings_per_s = rps * booked as f64 / count as f64;
    Ok(Run { bookings_per_s, latency: Latency { p50_ms, p95_ms, p99_ms, max_ms } })
}

/// A private server, killed on drop.
struct Server {
    port: u16,
    _process: Child,
}

impl Server {
    async fn start(durability: Durability, dir: &std::path::Path) -> Result<Self, String> {
        let port = free_port();
        let process = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--appendonly", "yes"])
            .args(["--appendfsync", durability.appendfsync])
            .arg("--dir")
            .arg(dir)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("redis-server: {error}"))?;
        let since = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            if since.elapsed() > START_TIMEOUT {
                return Err("redis-server did not start".into());
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(Self { port, _process: process })
    }

    async fn cli(&self, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new("redis-cli");
        command.args(["-p", &self.port.to_string()]).args(arguments);
        output(command).await
    }

    async fn load(&self, script: &str, connections: usize, count: u64) -> Result<String, String> {
        let mut command = Command::new("redis-benchmark");
        command.args(["-p", &self.port.to_string(), "--csv", "-r", "1000000000"]);
        command.args(["-c", &connections.to_string(), "-n", &count.to_string()]);
        command.args(["EVALSHA", script.trim(), "3", "free", "bookings", "holds", &SEATS_A_BOOKING.to_string()]);
        command.arg("__rand_int__-__rand_int__");
        output(command).await
    }
}

async fn output(mut command: Command) -> Result<String, String> {
    let running = command.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).output();
    let output = timeout(RUN_TIMEOUT, running).await.map_err(|_| format!("{command:?} did not end"))?;
    let output = output.map_err(|error| format!("{command:?}: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn number(text: &str) -> Result<f64, String> {
    text.trim().parse().map_err(|_| format!("unexpected output of redis: {text:?}"))
}

/// A port that is free now. If another program takes it first, the run fails because the server does not start.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    listener.local_addr().expect("a bound socket").port()
}
