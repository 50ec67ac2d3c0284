//! A fake Postgres server without rows that returns any requested error: at login, when a statement is prepared or run,
//! or at the end of a transaction.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// The longest message that is read, in bytes.
const MAX_MESSAGE: usize = 1 << 20;

/// The point at which an error is returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// At login.
    Connect,
    /// When a statement is prepared.
    Prepare,
    /// When a statement is run.
    Execute,
    /// At `COMMIT`.
    Commit,
}

/// The fake server. It runs on the tokio runtime that started it, and stops when it is dropped.
pub struct FailingServer {
    port: u16,
    shared: Arc<Shared>,
    accepting: AbortHandle,
}

#[derive(Default)]
struct Shared {
    failures: Mutex<VecDeque<Failure>>,
    failed: AtomicU64,
    connections: AtomicU64,
    runs: AtomicU64,
}

struct Failure {
    moment: Moment,
    severity: &'static str,
    state: String,
    times: u64,
}

impl FailingServer {
    /// Listens on a loopback port. Returns no errors yet.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::<Shared>::default();
        let serving = Arc::clone(&shared);
        let accepting = tokio::spawn(async move {
            let mut sessions = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                serving.connections.fetch_add(1, Ordering::Relaxed);
                stream.set_nodelay(true).unwrap();
                sessions.spawn(Session { stream, shared: Arc::clone(&serving), status: b'I' }.serve());
            }
        });
        Self { port, shared, accepting: accepting.abort_handle() }
    }

    /// The value for `DATABASE_URL`.
    pub fn url(&self) -> String {
        format!("postgres://boxoffice_app@127.0.0.1:{}/boxoffice?sslmode=disable", self.port)
    }

    /// From now on returns this error at this moment, `times` times. `severity` is `ERROR`, or `FATAL`, which also ends
    /// the session.
    pub fn fail(&self, moment: Moment, severity: &'static str, state: &str, times: u64) {
        self.shared.failures.lock().unwrap().clear();
        self.then_fail(moment, severity, state, times);
    }

    /// Adds an error that follows those requested before.
    pub fn then_fail(&self, moment: Moment, severity: &'static str, state: &str, times: u64) {
        let failure = Failure { moment, severity, state: state.to_owned(), times };
        self.shared.failures.lock().unwrap().push_back(failure);
    }

    /// The number of errors returned so far.
    pub fn failed(&self) -> u64 {
        self.shared.failed.load(Ordering::Relaxed)
    }

    /// The number of connections so far.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// The number of statements run so far.
    pub fn runs(&self) -> u64 {
        self.shared.runs.load(Ordering::Relaxed)
    }
}

impl Drop for FailingServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// A connection. See "Message Flow" in the Postgres manual.
struct Session {
    stream: TcpStream,
    shared: Arc<Shared>,
    /// Idle, in a transaction, or in a failed transaction: the status byte of ReadyForQuery.
    status: u8,
}

/// The session is over.
struct Over;

impl From<std::io::Error> for Over {
    fn from(_: std::io::Error) -> Self {
        Self
    }
}

impl Session {
    async fn serve(mut self) {
        // An error, too, ends the connection.
        let _ = self.run().await;
    }

    async fn run(&mut self) -> Result<(), Over> {
        // StartupMessage, which has no type byte.
        self.body().await?;
        if self.fails(Moment::Connect).await? {
            return Err(Over);
        }
        self.send(b'R', &[0; 4]).await?;
        self.ready().await?;
        let (mut types, mut passing_over) = (Vec::new(), false);
        loop {
            let kind = self.stream.read_u8().await?;
            let body = self.body().await?;
            match kind {
                b'S' => {
                    passing_over = false;
                    self.ready().await?;
                }
                b'X' => return Err(Over),
                _ if passing_over => {}
                // Parse: name, statement, and the types of its parameters.
                b'P' => {
                    types = body.splitn(3, |byte| *byte == 0).nth(2).unwrap_or_default().to_vec();
                    passing_over = self.refuses(Moment::Prepare).await?;
                    if !passing_over {
                        self.send(b'1', &[]).await?;
                    }
                }
                // Describe: the parameters and no rows.
                b'D' => {
                    self.send(b't', &types).await?;
                    self.send(b'n', &[]).await?;
                }
                b'B' => {
                    self.shared.runs.fetch_add(1, Ordering::Relaxed);
                    passing_over = self.refuses(Moment::Execute).await?;
                    if !passing_over {
                        self.send(b'2', &[]).await?;
                    }
                }
                b'E' => self.send(b'C', b"SELECT 0\0").await?,
                b'C' => self.send(b'3', &[]).await?,
                b'Q' => self.simple(&body).await?,
                _ => {}
            }
        }
    }

    /// Handles `BEGIN`, `COMMIT` or `ROLLBACK`.
    async fn simple(&mut self, body: &[u8]) -> Result<(), Over> {
        if body.starts_with(b"BEGIN") {
            self.status = b'T';
            self.send(b'C', b"BEGIN\0").await?;
        } else {
            let undone = self.status == b'E' || !body.starts_with(b"COMMIT");
            let failed = !undone && self.fails(Moment::Commit).await?;
            self.status = b'I';
            if !failed {
                self.send(b'C', if undone { b"ROLLBACK\0" } else { b"COMMIT\0" }).await?;
            }
        }
        self.ready().await
    }

    /// Returns an error for a statement if one was requested or the transaction has failed. Tells whether it did.
    async fn refuses(&mut self, moment: Moment) -> Result<bool, Over> {
        if self.status == b'E' {
            self.error("ERROR", "25P02").await?;
            return Ok(true);
        }
        let failed = self.fails(moment).await?;
        if failed && self.status == b'T' {
            self.status = b'E';
        }
        Ok(failed)
    }

    /// Returns the requested error if this is its moment. Tells whether it did.
    async fn fails(&mut self, moment: Moment) -> Result<bool, Over> {
        let due = {
            let mut failures = self.shared.failures.lock().unwrap();
            while failures.front().is_some_and(|failure| failure.times == 0) {
                failures.pop_front();
            }
            failures.front_mut().filter(|failure| failure.moment == moment).map(|failure| {
                failure.times -= 1;
                (failure.severity, failure.state.clone())
            })
        };
        let Some((severity, state)) = due else { return Ok(false) };
        self.shared.failed.fetch_add(1, Ordering::Relaxed);
        self.error(severity, &state).await?;
        if severity == "ERROR" { Ok(true) } else { Err(Over) }
    }

    async fn error(&mut self, severity: &str, state: &str) -> Result<(), Over> {
        let fields = format!("S{severity}\0V{severity}\0C{state}\0Mthe test asked for this error\0\0");
        self.send(b'E', fields.as_bytes()).await
    }

    async fn ready(&mut self) -> Result<(), Over> {
        self.send(b'Z', &[self.status]).await
    }

    /// Reads a message without its type byte.
    async fn body(&mut self) -> Result<Vec<u8>, Over> {
        let length = usize::try_from(self.stream.read_u32().await?).unwrap_or_default();
        if !(4..=MAX_MESSAGE).contains(&length) {
            return Err(Over);
        }
        let mut body = vec![0; length - 4];
        self.stream.read_exact(&mut body).await?;
        Ok(body)
    }

    async fn send(&mut self, kind: u8, body: &[u8]) -> Result<(), Over> {
        let length = u32::try_from(body.len() + 4).unwrap_or_default();
        let message = [&[kind][..], &length.to_be_bytes(), body].concat();
        self.stream.write_all(&message).await?;
        Ok(())
    }
}
