//! Runs statements: in one round trip, within a bounded time, and again where that is safe and helps.

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

/// How long one attempt may take, in all. The server gives up on a lock after 2 s and on a statement after 4 s
/// (see the first migration); so 5 s of silence is a dead connection, not a slow one.
pub(super) const ATTEMPT: Duration = Duration::from_secs(5);

/// Attempts at one operation, the first included.
const ATTEMPTS: u32 = 4;

/// How long an operation may take, all attempts together; less, where the request has less time left.
const TOTAL: Duration = Duration::from_secs(10);

/// Attempts that may end in silence: two of 5 s.
const SILENT_ATTEMPTS: u32 = 2;

/// A statement that was cancelled sooner than this was not cancelled for its time: somebody ended it by hand.
const BY_HAND: Duration = Duration::from_secs(1);

/// A statement that waited no longer than this for a lock chooses others the next time: it is run again. Whoever waited longer
/// wanted that one row.
const SOON: Duration = Duration::from_millis(1500);

/// Whether an operation may be run again when it is unknown if it took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// A second run finds what the first did.
    Safe,
    /// A second run would do it twice.
    Unsafe,
}

/// A statement of a `.sql` file with the types of its parameters: so the server needs no second round trip to be asked
/// for them.
#[derive(Debug)]
pub(crate) struct Statement {
    /// The statement's text.
    pub(crate) sql: &'static str,
    /// The types of `$1`, `$2` and so on.
    pub(crate) types: &'static [Type],
}

/// The values of `$1`, `$2` and so on.
pub(crate) type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

impl Statement {
    /// The statement as the connection has it prepared. Unless it has, one round trip, once in a connection's life.
    async fn prepare(&self, client: &ClientWrapper) -> Result<tokio_postgres::Statement, PgError> {
        client.prepare_typed_cached(self.sql, self.types).await
    }
}

impl Db {
    /// Runs one statement in a transaction of its own: one round trip.
    ///
    /// # Errors
    /// The fault of the last of the attempts that are allowed.
    pub(crate) async fn run(
        &self,
        statement: &'static Statement,
        values: Values<'_>,
        repeat: Repeat,
    ) -> Result<Vec<Row>, Fault> {
        self.run_all(&[(statement, values)], repeat).await
    }

    /// Runs statements in one transaction and gives the rows of the last. They are pipelined: still one round trip, so
    /// what the first one locks is not held while a packet travels.
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

    /// As [`run_all`](Self::run_all), for whoever knows what else to do when a lock is not had soon: `None`, and nothing was
    /// changed.
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
                tracing::debug!(?cause, "a lock was not had soon");
                Ok(None)
            }
            Err(fault) => Err(fault),
        }
    }

    /// Runs them in as many attempts as are allowed; `soon`: what waited no longer than this for a lock is run again.
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
                // One statement that did nothing is a statement without a row. Of several, the next attempt finds the
                // booking.
                Fault::Duplicate(_) if statements.len() == 1 => return Ok(Vec::new()),
                Fault::Collision(_) | Fault::Duplicate(_) | Fault::NotConnected(_) | Fault::Unfit(_) => true,
                Fault::Lost(cause) => {
                    silent += u32::from(cause.is::<Silent>());
                    repeat == Repeat::Safe && silent < SILENT_ATTEMPTS
                }
                Fault::Locked(_) => begun.elapsed() < soon,
                // It has waited for as long as anybody should.
                Fault::TooSlow(_) => begun.elapsed() < BY_HAND,
                Fault::HolderBusy | Fault::Defect(_) => false,
            };
            let pause = pause(attempts);
            if !again || attempts == ATTEMPTS || Instant::now() + pause >= end {
                return Err(fault);
            }
            tracing::debug!(attempts, ?fault, "running a transaction again");
            sleep(pause).await;
        }
    }

    /// Has every connection prepare a statement ahead of its first use. A connection that sends statements without a name
    /// has nothing to prepare.
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

    /// One attempt, to connect included, until `deadline`.
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
            // Out of the pool with it: dropping it closes the socket.
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
            // Before the transaction begins, so that nothing is locked meanwhile.
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

/// 5 to 10 ms after the first attempt, then twice as long each time: long enough for the other transaction to end,
/// random so that two that collided do not do it again in step.
fn pause(attempts: u32) -> Duration {
    Duration::from_millis(5 << attempts.min(6)).mul_f64(rand::random_range(0.5..1.0))
}

/// Sends `BEGIN`, the statements and `COMMIT` without waiting between them. If one fails, the server passes over
/// the rest and `COMMIT` ends the transaction as a rollback.
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
