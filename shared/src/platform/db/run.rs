//! Runs statements in one round trip, within a time limit, and retries them where that is safe and helps.

use std::{future::Future, time::Duration};

use deadpool_postgres::{ClientWrapper, Object};
use futures_util::future::join_all;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_postgres::{
    Error as PgError, Row,
    types::{ToSql, Type},
};

use crate::platform::{config::StatementNaming, deadline};

use super::{
    Db,
    fault::{Fault, Silent},
};

/// The time limit of one attempt. The server's lock timeout is 2 s and its statement timeout 4 s (see the first
/// migration), so 5 s of silence mean a dead connection and not a slow one.
pub(super) const ATTEMPT: Duration = Duration::from_secs(5);

/// The maximum number of attempts at an operation, including the first.
const ATTEMPTS: u32 = 4;

/// The time limit of an operation over all attempts; less if the request's deadline is nearer.
const TOTAL: Duration = Duration::from_secs(10);

/// The maximum number of attempts that end in silence: two of 5 s each.
const SILENT_ATTEMPTS: u32 = 2;

/// A statement cancelled sooner than this did not reach the statement timeout: somebody cancelled it by hand.
const BY_HAND: Duration = Duration::from_secs(1);

/// A statement that waited no longer than this for a lock is retried, because it chooses other rows the next time. One
/// that waited longer wanted that very row.
const SOON: Duration = Duration::from_millis(1500);

/// Whether to retry an operation when it is unknown whether it took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// A second run finds what the first did.
    Safe,
    /// A second run would take effect twice.
    Unsafe,
}

/// A statement of a `.sql` file with its parameter types, which save a round trip to ask the server for them.
#[derive(Debug)]
pub(crate) struct Statement {
    /// The SQL text.
    pub(crate) sql: &'static str,
    /// The types of `$1`, `$2` and so on.
    pub(crate) types: &'static [Type],
}

/// The values of `$1`, `$2` and so on.
pub(crate) type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

impl Statement {
    /// Prepares the statement, or returns it if the connection has it prepared. Costs one round trip, once per
    /// connection.
    async fn prepare(&self, client: &ClientWrapper) -> Result<tokio_postgres::Statement, PgError> {
        client.prepare_typed_cached(self.sql, self.types).await
    }
}

impl Db {
    /// Runs one statement in its own transaction: one round trip.
    ///
    /// # Errors
    /// The fault of the last attempt.
    pub(crate) async fn run(
        &self,
        statement: &'static Statement,
        values: Values<'_>,
        repeat: Repeat,
    ) -> Result<Vec<Row>, Fault> {
        self.run_all(&[(statement, values)], repeat).await
    }

    /// Runs statements in one transaction and returns the rows of the last one. They are pipelined: still one round
    /// trip, so the locks of the first one are not held while a packet travels.
    ///
    /// # Errors
    /// As for [`run`](Self::run).
    pub(crate) async fn run_all(
        &self,
        statements: &[(&'static Statement, Values<'_>)],
        repeat: Repeat,
    ) -> Result<Vec<Row>, Fault> {
        self.run_until(statements, repeat, SOON).await
    }

    /// As [`run_all`](Self::run_all), for callers that have an alternative if a lock is taken: then `None`, and nothing
    /// was changed.
    ///
    /// # Errors
    /// As for [`run`](Self::run).
    pub(crate) async fn run_unless_locked(
        &self,
        statements: &[(&'static Statement, Values<'_>)],
        repeat: Repeat,
    ) -> Result<Option<Vec<Row>>, Fault> {
        let begun = Instant::now();
        match self.run_until(statements, repeat, Duration::ZERO).await {
            Ok(rows) => Ok(Some(rows)),
            Err(Fault::Locked(cause)) if begun.elapsed() < SOON => {
                tracing::debug!(?cause, "a lock was not available soon; taking the alternative");
                Ok(None)
            }
            Err(fault) => Err(fault),
        }
    }

    /// Runs statements with retries. An attempt that waited for a lock for less than `soon` is retried.
    async fn run_until(
        &self,
        statements: &[(&'static Statement, Values<'_>)],
        repeat: Repeat,
        soon: Duration,
    ) -> Result<Vec<Row>, Fault> {
        let (mut attempts, mut silent) = (0, 0);
        let end = Instant::now() + deadline::bound(TOTAL);
        loop {
            attempts += 1;
            let begun = Instant::now();
            let fault = match self.attempt(statements, end.min(begun + ATTEMPT)).await {
                Ok(rows) => return Ok(rows),
                Err(fault) => fault,
            };
            let again = match &fault {
                // A single statement that did nothing returns no row. With several, the next attempt finds the booking.
                Fault::Duplicate(_) if statements.len() == 1 => return Ok(Vec::new()),
                Fault::Collision(_) | Fault::Duplicate(_) | Fault::NotConnected(_) | Fault::Unfit(_) => true,
                Fault::Lost(cause) => {
                    silent += u32::from(cause.is::<Silent>());
                    repeat == Repeat::Safe && silent < SILENT_ATTEMPTS
                }
                Fault::Locked(_) => begun.elapsed() < soon,
                // It has taken as long as a request should wait.
                Fault::TooSlow(_) => begun.elapsed() < BY_HAND,
                Fault::HolderBusy | Fault::Defect(_) => false,
            };
            let pause = pause(attempts);
            if !again || attempts == ATTEMPTS || Instant::now() + pause >= end {
                return Err(fault);
            }
            tracing::debug!(attempts, ?fault, "retrying a transaction");
            sleep(pause).await;
        }
    }

    /// Prepares a statement on every connection ahead of its first use. Does nothing if connections send unnamed
    /// statements.
    ///
    /// # Errors
    /// As for [`run`](Self::run), after one attempt.
    pub(crate) async fn prepare(&self, statement: &'static Statement) -> Result<(), Fault> {
        if self.naming == StatementNaming::Unnamed {
            return Ok(());
        }
        let begun = Instant::now();
        for client in self.all().await {
            let client = client.map_err(Fault::from_pool)?;
            match timeout(deadline::bound(ATTEMPT), statement.prepare(&client)).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => {
                    let fault = Fault::from_statement(error);
                    if fault.spoils_connection() {
                        drop(Object::take(client));
                    }
                    return Err(fault);
                }
                Err(_) => {
                    drop(Object::take(client));
                    return Err(Fault::Lost(Silent::since(begun)));
                }
            }
        }
        Ok(())
    }

    /// Makes one attempt until `deadline`, including the connection.
    async fn attempt(
        &self,
        statements: &[(&'static Statement, Values<'_>)],
        deadline: Instant,
    ) -> Result<Vec<Row>, Fault> {
        let begun = Instant::now();
        let client = match timeout_at(deadline, self.pool.get()).await {
            Ok(client) => client.map_err(Fault::from_pool)?,
            Err(_) => return Err(Fault::NotConnected(Silent::since(begun))),
        };
        let result = match timeout_at(deadline, self.execute(&client, statements)).await {
            Ok(result) => result.map_err(Fault::from_statement),
            Err(_) => Err(Fault::Lost(Silent::since(begun))),
        };
        if result.as_ref().is_err_and(Fault::spoils_connection) {
            // Take the connection out of the pool. Dropping it closes the socket.
            drop(Object::take(client));
        }
        result
    }

    async fn execute(
        &self,
        client: &ClientWrapper,
        statements: &[(&'static Statement, Values<'_>)],
    ) -> Result<Vec<Row>, PgError> {
        if let [(statement, values)] = statements {
            return self.query(client, statement, values).await;
        }
        if self.naming == StatementNaming::Prepared {
            // Before the transaction begins, so that no lock is held meanwhile.
            for (statement, _) in statements {
                statement.prepare(client).await?;
            }
        }
        pipeline(client, statements.iter().map(|(s, values)| self.query(client, s, values))).await
    }

    async fn query(
        &self,
        client: &ClientWrapper,
        statement: &Statement,
        values: Values<'_>,
    ) -> Result<Vec<Row>, PgError> {
        match self.naming {
            StatementNaming::Prepared => client.query(&statement.prepare(client).await?, values).await,
            StatementNaming::Unnamed => {
                let typed: Vec<_> = values.iter().copied().zip(statement.types.iter().cloned()).collect();
                client.query_typed(statement.sql, &typed).await
            }
        }
    }
}

/// The backoff: 5 to 10 ms after the first attempt, then doubled each time. That is enough for the other transaction to
/// end, and random so that two transactions that collided do not retry in step.
fn pause(attempts: u32) -> Duration {
    Duration::from_millis(5 << attempts.min(6)).mul_f64(rand::random_range(0.5..1.0))
}

/// Sends `BEGIN`, the statements and `COMMIT` without waiting in between. If one fails, the server skips the rest and
/// `COMMIT` ends the transaction as a rollback.
async fn pipeline(
    client: &ClientWrapper,
    queries: impl Iterator<Item = impl Future<Output = Result<Vec<Row>, PgError>>>,
) -> Result<Vec<Row>, PgError> {
    let (begin, results, commit) =
        tokio::join!(biased; client.batch_execute("BEGIN"), join_all(queries), client.batch_execute("COMMIT"));
    begin?;
    let mut rows = Vec::new();
    for result in results {
        rows = result?;
    }
    commit?;
    Ok(rows)
}
