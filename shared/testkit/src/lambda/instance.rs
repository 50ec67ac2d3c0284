//! An instance of a function: a process with its own Runtime API.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::sync::{Notify, watch};

use super::environment::environment;
use super::output::Output;
use super::runtime_api::{Answer, RuntimeApi, json_or_text};
use super::{InvokeError, Usage};
use crate::http::HttpServer;

const INVOKE_TIMEOUT: Duration = Duration::from_secs(30);
/// The maximum delay of a log line from the process to us.
const LOG_DELAY: Duration = Duration::from_secs(5);

/// A running instance. It is killed on drop, and runs on the tokio runtime that started it.
///
/// Its methods take `&self`, so several invocations may be in progress. A function with `AWS_LAMBDA_MAX_CONCURRENCY`
/// serves that many at once; any other serves them one after another, in order.
pub struct Instance {
    pid: u32,
    started: Instant,
    timeout: Duration,
    api: Arc<RuntimeApi>,
    exit: watch::Receiver<Option<ExitStatus>>,
    kill: Arc<Notify>,
    stdout: Output,
    stderr: Output,
    _server: HttpServer,
}

/// Configures an instance before it starts.
pub struct Builder {
    binary: PathBuf,
    env: Vec<(OsString, OsString)>,
    timeout: Duration,
}

impl Builder {
    /// Adds an environment variable, which overrides one that Lambda sets.
    pub fn env(mut self, key: &str, value: impl Into<OsString>) -> Self {
        self.env.push((key.into(), value.into()));
        self
    }

    /// Sets the function's timeout, which determines the deadline of each invocation. The default is 30 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Starts the process.
    ///
    /// # Panics
    /// The binary cannot be started.
    pub async fn start(self) -> Instance {
        let api = RuntimeApi::new(&self.binary.file_stem().unwrap_or_default().to_string_lossy());
        let server = api.serve().await;
        let started = Instant::now();
        let mut child = Command::new(&self.binary)
            .env_clear()
            .envs(environment(&self.binary, &server.address.to_string()))
            .envs(self.env)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", self.binary.display()));
        let pid = child.id().expect("a child that nobody has waited for");
        let stdout = Output::capture(child.stdout.take().unwrap());
        let stderr = Output::capture(child.stderr.take().unwrap());
        let kill = Arc::new(Notify::new());
        let exit = watch_over(child, Arc::clone(&kill), Arc::clone(&api), stderr.clone());
        Instance { pid, started, timeout: self.timeout, api, exit, kill, stdout, stderr, _server: server }
    }
}

impl Instance {
    /// Configures an instance of this binary.
    pub fn builder(binary: impl AsRef<Path>) -> Builder {
        Builder { binary: binary.as_ref().to_owned(), env: Vec::new(), timeout: INVOKE_TIMEOUT }
    }

    /// Starts `binary` with Lambda's environment plus `env`. It inherits nothing else from this process except `PATH`,
    /// `SSL_CERT_FILE`, `SSL_CERT_DIR` and `RUST_BACKTRACE`.
    pub async fn start(binary: impl AsRef<Path>, env: &[(&str, &str)]) -> Self {
        env.iter().fold(Self::builder(binary), |builder, (key, value)| builder.env(key, *value)).start().await
    }

    /// Waits until the function asks for its first event. Returns the time since the start of the process.
    pub async fn ready(&self) -> Result<Duration, InvokeError> {
        let mut first_next = self.api.first_next();
        let mut exit = self.exit.clone();
        let ready = async {
            tokio::select! {
                biased;
                at = first_next.wait_for(Option::is_some) => at.ok().and_then(|at| *at),
                _ = exit.wait_for(Option::is_some) => None,
            }
        };
        match tokio::time::timeout(self.timeout, ready).await {
            Ok(Some(at)) => Ok(at - self.started),
            Ok(None) => Err(self.exited().await),
            Err(_) => Err(InvokeError::Timeout(self.timeout)),
        }
    }

    /// Sends the function an event and waits for its response.
    pub async fn invoke(&self, event: &Value) -> Result<Value, InvokeError> {
        let payload = serde_json::to_vec(event).expect("a JSON value");
        let response = self.invoke_bytes(payload.into()).await?;
        Ok(json_or_text(&response))
    }

    /// As [`Instance::invoke`] without parsing: for a load generator.
    pub async fn invoke_bytes(&self, event: Bytes) -> Result<Bytes, InvokeError> {
        let (request_id, answer) = self.api.send(event, self.timeout);
        match tokio::time::timeout(self.timeout, answer).await {
            Ok(Ok(Answer::Response(body))) => Ok(body),
            Ok(Ok(Answer::Error(body))) => Err(InvokeError::Function(json_or_text(&body))),
            Ok(Err(_)) => Err(self.exited().await),
            Err(_) => {
                self.api.forget(&request_id);
                Err(InvokeError::Timeout(self.timeout))
            }
        }
    }

    /// Kills the process with `SIGKILL` and waits for its end.
    pub async fn kill(&self) {
        self.kill.notify_one();
        self.exit_status().await;
    }

    /// Waits for the process to end, without a time limit.
    pub async fn exit_status(&self) -> ExitStatus {
        let mut exit = self.exit.clone();
        let status = exit.wait_for(Option::is_some).await.expect("the task that waits for the process should live");
        status.expect("just seen to be there")
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The resources that it has used so far.
    pub fn usage(&self) -> Usage {
        Usage::of(self.pid)
    }

    /// Its standard output so far, at least the last MiB.
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// Its standard error so far, at least the last MiB.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Whether `needle` is in its standard output, now or within 5 s: a log line may come later than the response.
    pub async fn logged(&self, needle: &str) -> bool {
        self.stdout.contains(needle, LOG_DELAY).await
    }

    async fn exited(&self) -> InvokeError {
        let status = self.exit_status().await;
        InvokeError::Exited { status, stderr: self.stderr.text(), init_error: self.api.init_error() }
    }
}

/// Spawns a task that waits for the process to end and then ends every wait for a response.
fn watch_over(
    mut child: Child,
    kill: Arc<Notify>,
    api: Arc<RuntimeApi>,
    stderr: Output,
) -> watch::Receiver<Option<ExitStatus>> {
    let (sender, receiver) = watch::channel(None);
    tokio::spawn(async move {
        let killed = tokio::select! {
            // The instance was dropped, and `kill_on_drop` does the rest.
            () = sender.closed() => return,
            () = kill.notified() => true,
            _ = child.wait() => false,
        };
        if killed {
            // The process may have ended by itself in the meantime.
            let _ = child.start_kill();
        }
        let status = child.wait().await.expect("our own child can be waited for");
        stderr.ended(LOG_DELAY).await;
        let _ = sender.send(Some(status));
        api.close();
    });
    receiver
}
