//! Runs statements: in one round trip, within a bounded time, and again where that is safe and helps.

use std::time::Duration;

use deadpool_postgres::Object;
use futures_util::future::join_all;
use tokio::time::{sleep, timeout};
use tokio_postgres::{
    Client, Error as PgError, Row,
    types::{ToSql, Type},
};

use crate::error::Error;

use super::{
    Db,
    fault::{Fault, Silent},
};

/// How long one attempt may take, in all. The server gives up on a lock after 2 s and on a statement after 4 s
/// (see the first migration); so 5 s of silence is a dead connection, not a slow one.
pub(super) const ATTEMPT: Duration = Duration::from_secs(5);

/// Attempts at one operation, the first included.
const ATTEMPTS: u32 = 4;

/// Attempts that may end in silence: 2 of 5 s each leave time to answer within a Lambda's 15 s.
const SILENT_ATTEMPTS: u32 = 2;

/// Whether an operation may be run again when it is unknown if it took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// A second run finds what the first did.
    Safe,
    /// A second run would do it twice.
    Unsafe,
}

/// A statement and its parameters, each with its type: so the server needs no second round trip to be asked for them.
#[derive(Clone, Copy)]
pub(crate) struct Statement<'a> {
    /// The statement's text, of a `.sql` file.
    pub(crate) sql: &'a str,
    /// `$1`, `$2` and so on.
    pub(crate) parameters: &'a [(&'a (dyn ToSql + Sync), Type)],
}

impl Db {
    /// Runs one statement in a transaction of its own: one round trip.
    ///
    /// # Errors
    /// [`Error::Busy`], [`Error::Unavailable`] or [`Error::Internal`], after the attempts that are allowed.
    pub(crate) async fn run(&self, statement: Statement<'_>, repeat: Repeat) -> Result<Vec<Row>, Error> {
        self.run_all(&[statement], repeat).await
    }

    /// Runs statements in one transaction and gives the rows of the last. They are pipelined: still one round trip, so
    /// what the first one locks is not held while a packet travels.
    ///
    /// # Errors
    /// As for [`run`](Self::run).
    pub(crate) async fn run_all(&self, statements: &[Statement<'_>], repeat: Repeat) -> Result<Vec<Row>, Error> {
        let (mut attempts, mut silent) = (0, 0);
        loop {
            attempts += 1;
            let fault = match self.attempt(statements).await {
                Ok(rows) => return Ok(rows),
                Err(fault) => fault,
            };
            let again = match &fault {
                Fault::Collision(_) | Fault::NotConnected(_) => true,
                Fault::Lost(cause) => {
                    silent += u32::from(cause.is::<Silent>());
                    repeat == Repeat::Safe && silent < SILENT_ATTEMPTS
                }
                Fault::TooSlow(_) | Fault::Refused(_) => false,
            };
            if !again || attempts == ATTEMPTS {
                return Err(fault.into());
            }
            tracing::debug!(attempts, ?fault, "running a transaction again");
            sleep(pause(attempts)).await;
        }
    }

    async fn attempt(&self, statements: &[Statement<'_>]) -> Result<Vec<Row>, Fault> {
        let client = self.pool.get().await.map_err(Fault::from_pool)?;
        match timeout(ATTEMPT, execute(&client, statements)).await {
            Ok(result) => result.map_err(Fault::from_statement),
            Err(_) => {
                // Out of the pool with it: dropping it closes the socket.
                drop(Object::take(client));
                Err(Fault::Lost(Silent.into()))
            }
        }
    }
}

/// 5 to 10 ms after the first attempt, then twice as long each time: long enough for the other transaction to end,
/// random so that two that collided do not do it again in step.
fn pause(attempts: u32) -> Duration {
    Duration::from_millis(5 << attempts.min(6)).mul_f64(rand::random_range(0.5..1.0))
}

async fn execute(client: &Client, statements: &[Statement<'_>]) -> Result<Vec<Row>, PgError> {
    match statements {
        [statement] => client.query_typed(statement.sql, statement.parameters).await,
        statements => pipeline(client, statements).await,
    }
}

/// Sends `BEGIN`, the statements and `COMMIT` without waiting between them. If one fails, the server passes over
/// the rest and `COMMIT` ends the transaction as a rollback.
async fn pipeline(client: &Client, statements: &[Statement<'_>]) -> Result<Vec<Row>, PgError> {
    let (begin, results, commit) = tokio::join!(
        biased;
        client.batch_execute("BEGIN"),
        join_all(statements.iter().map(|s| client.query_typed(s.sql, s.parameters))),
        client.batch_execute("COMMIT"),
    );
    begin?;
    let mut rows = Vec::new();
    for result in results {
        rows = result?;
    }
    commit?;
    Ok(rows)
}
