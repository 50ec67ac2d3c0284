//! Runs pgbench and reads its log.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};

use super::script::VARIABLES;

/// A run takes seconds. A run that is not stopped ends after this time.
const PATIENCE: Duration = Duration::from_secs(60);

/// The same for all subjects: the role's own timeouts would abort alternatives whose clients wait long.
const PGOPTIONS: &str = "-c lock_timeout=60s -c statement_timeout=60s";

/// A run to be started.
pub(crate) struct Pgbench<'a> {
    /// The program.
    pub(crate) program: PathBuf,
    /// A loopback port: the server's, or a proxy's in front of it.
    pub(crate) port: u16,
    pub(crate) database: &'a str,
    pub(crate) script: &'a str,
    pub(crate) connections: usize,
    pub(crate) length: Length,
}

/// When a run ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Length {
    /// When the server ends its connections. A fixed duration could be over before a busy machine has read its clocks.
    UntilStopped,
    /// After this many transactions per connection.
    Transactions(u64),
}

/// A running pgbench.
pub(crate) struct Running {
    child: Child,
    dir: tempfile::TempDir,
}

/// A completed transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transaction {
    /// Its end, in microseconds since 1970.
    pub(crate) ended_us: u64,
    pub(crate) took_us: u64,
}

impl Pgbench<'_> {
    /// Starts pgbench.
    ///
    /// # Errors
    /// pgbench is not installed.
    pub(crate) fn start(&self) -> Result<Running, String> {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let script = dir.path().join("script.sql");
        std::fs::write(&script, self.script).expect("a file in a temporary directory");
        let child = self.command(dir.path(), &script).spawn().map_err(|error| format!("pgbench: {error}"))?;
        Ok(Running { child, dir })
    }

    fn command(&self, dir: &Path, script: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["--no-vacuum", "--protocol=prepared", "--jobs=2", "--log", "--host=127.0.0.1"]);
        command.args([format!("--port={}", self.port), format!("--client={}", self.connections)]);
        command.arg(match self.length {
            Length::UntilStopped => format!("--time={}", PATIENCE.as_secs()),
            Length::Transactions(count) => format!("--transactions={count}"),
        });
        command.args(VARIABLES.map(|(name, value)| format!("--define={name}={value}")));
        command.arg("--username=boxoffice").arg("--file").arg(script).arg(self.database);
        command.current_dir(dir).env("PGOPTIONS", PGOPTIONS).env("PGSSLMODE", "disable");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }
}

impl Running {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id().expect("nobody has waited for it")
    }

    /// Waits for the run to end.
    ///
    /// # Errors
    /// A client failed: pgbench's message.
    pub(crate) async fn finish(self) -> Result<Vec<Transaction>, String> {
        let output = tokio::time::timeout(2 * PATIENCE, self.child.wait_with_output())
            .await
            .map_err(|_| "pgbench did not end".to_owned())?
            .map_err(|error| format!("pgbench: {error}"))?;
        // Connections that are ended on purpose are FATAL to pgbench and change its exit status.
        let errors = String::from_utf8_lossy(&output.stderr);
        if let Some(first) = errors.lines().find(|line| line.contains("ERROR:")) {
            return Err(first.to_owned());
        }
        Ok(read_log(self.dir.path()))
    }
}

/// Reads lines of the form `client transaction took_us script ended_s ended_us`.
fn read_log(dir: &Path) -> Vec<Transaction> {
    let files = std::fs::read_dir(dir).expect("our directory").flatten();
    let logs = files.filter(|file| file.file_name().to_string_lossy().starts_with("pgbench_log"));
    let texts: Vec<String> = logs.filter_map(|log| std::fs::read_to_string(log.path()).ok()).collect();
    texts.iter().flat_map(|text| text.lines()).filter_map(read_line).collect()
}

fn read_line(line: &str) -> Option<Transaction> {
    let fields: Vec<u64> = line.split(' ').flat_map(str::parse).collect();
    let [_, _, took_us, _, ended_s, ended_us, ..] = fields[..] else { return None };
    Some(Transaction { ended_us: ended_s * 1_000_000 + ended_us, took_us })
}
