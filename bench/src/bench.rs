//! The context of a benchmark run, which every scenario uses.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use boxoffice_testkit::invariants::violations;
use boxoffice_testkit::postgres::{Database, Options as ServerOptions, Server};

use crate::measure::cpu;
use crate::options::Options;
use crate::report::{Machine, Report};
use crate::scenario::{self, Name};

/// More than the 200 of the largest run plus the observers.
const MAX_CONNECTIONS: u16 = 450;

/// A run of the benchmark: its options and its server.
pub(crate) struct Bench {
    pub(crate) options: Options,
    pub(crate) server: Server,
    started: Instant,
}

impl Bench {
    /// Starts a private server, durable as in production.
    pub(crate) fn start(options: Options) -> Self {
        let started = Instant::now();
        let server = Server::start(&server_options());
        Self { options, server, started }
    }

    /// Runs the requested scenarios one after another.
    pub(crate) async fn run(self) -> Report {
        let postmaster = self.postmaster().await;
        let mut report = Report::new(self.machine().await, self.options.quick);
        let names = if self.options.only.is_empty() { Name::UNASKED.to_vec() } else { self.options.only.clone() };
        for name in names {
            self.say(&format!("{name}: {}", name.about()));
            scenario::run(name, &self, postmaster, &mut report).await;
        }
        report.ended(self.started.elapsed());
        report
    }

    /// Prints a line of progress with the time since the start.
    pub(crate) fn say(&self, text: &str) {
        println!("{:5.0} s  {text}", self.started.elapsed().as_secs_f64());
        // Show it at once to a reader behind a pipe.
        let _ = std::io::stdout().flush();
    }

    /// A fresh migrated database.
    pub(crate) async fn database(&self) -> Database {
        self.server.create_database().await
    }

    /// `full`, or `quick` with `--quick`.
    pub(crate) fn pick<T>(&self, full: T, quick: T) -> T {
        if self.options.quick { quick } else { full }
    }

    /// The pgbench of the server's installation, or the one in `PATH`.
    pub(crate) fn pgbench(&self) -> PathBuf {
        Some(self.server.program("pgbench")).filter(|path| path.is_file()).unwrap_or_else(|| "pgbench".into())
    }

    /// The path of a Lambda's binary, as `make up` builds it.
    ///
    /// # Errors
    /// It does not exist. The message says how to build it.
    pub(crate) fn binary(&self, name: &str) -> Result<PathBuf, String> {
        let path = self.options.binaries.join(name).join("bootstrap");
        if path.is_file() {
            return Ok(path);
        }
        Err(format!("no binary at {}: build it with `make bench`, or set BOXOFFICE_BIN_DIR", path.display()))
    }

    async fn postmaster(&self) -> u32 {
        let client = self.server.admin_client().await;
        let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[]).await.expect("a query").get(0);
        cpu::parent(pid.unsigned_abs()).expect("a backend's parent is the postmaster")
    }

    async fn machine(&self) -> Machine {
        let client = self.server.admin_client().await;
        let version: String = client.query_one("SHOW server_version", &[]).await.expect("a query").get(0);
        Machine::here(version)
    }
}

/// As in production, with enough connections.
pub(crate) fn server_options() -> ServerOptions {
    ServerOptions::durable().max_connections(MAX_CONNECTIONS).setting("shared_buffers", "256MB")
}

/// Checks the invariants.
pub(crate) async fn check(database: &Database) -> Result<(), String> {
    match violations(&database.client().await).await.first() {
        None => Ok(()),
        Some(first) => Err(format!("broken: {first}")),
    }
}
