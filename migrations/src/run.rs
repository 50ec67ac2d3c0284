//! Applies migrations: each once, in a transaction or concurrently with writes.

use std::{fmt, time::Duration};

use boxoffice_shared::platform::{config::Database, db};
use refinery::{Migration, Runner, Target};
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::{
    Client,
    error::{DbError, SqlState},
};

use crate::{Error, Patience, concurrently};

/// The key of the advisory lock that makes two runs at once take turns. An arbitrary number.
const TURN: i64 = 7_204_251;

/// How often we ask whether another run has finished. Waiting for its lock in the server would be a transaction, and an index that
/// the other run builds would wait for that transaction in turn.
const POLL_EVERY: Duration = Duration::from_millis(200);

/// The client waits this much longer than the server, so that it learns what became of the last statement.
const ANSWER: Duration = Duration::from_secs(10);

/// How many times a migration is run if another database of the server is migrated at the same time. Roles belong to the server: if
/// two migrations change one at once, Postgres rejects the second instead of letting it wait.
const RUNS: u32 = 5;

mod embedded {
    #![allow(missing_docs, unreachable_pub)]
    refinery::embed_migrations!(".");
}

/// Migrations, in the order of their numbers.
#[derive(Clone, Debug)]
pub struct Migrations(Vec<Migration>);

impl Migrations {
    /// The migrations of this package.
    pub fn ours() -> Self {
        Self::sorted(embedded::migrations::runner().get_migrations().clone())
    }

    /// Other migrations, for tests: the name of each file without its extension, and its text.
    ///
    /// # Errors
    /// A name is not that of a migration.
    pub fn of(files: &[(&str, &str)]) -> Result<Self, Error> {
        let migrations = files.iter().map(|(name, sql)| Migration::unapplied(name, sql));
        Ok(Self::sorted(migrations.collect::<Result<_, _>>()?))
    }

    /// These migrations and others after them, for tests.
    ///
    /// # Errors
    /// A name is not that of a migration.
    pub fn and(self, files: &[(&str, &str)]) -> Result<Self, Error> {
        Ok(Self::sorted([self.0, Self::of(files)?.0].concat()))
    }

    /// The migrations up to this number: the schema of an earlier release.
    #[must_use]
    pub fn up_to(mut self, version: u32) -> Self {
        self.0.retain(|migration| u32::try_from(migration.version()).is_ok_and(|own| own <= version));
        self
    }

    /// The name and the text of each migration.
    pub fn files(&self) -> impl Iterator<Item = (String, &str)> {
        self.0.iter().map(|migration| (migration.to_string(), migration.sql().unwrap_or_default()))
    }

    fn sorted(mut migrations: Vec<Migration>) -> Self {
        migrations.sort();
        Self(migrations)
    }

    /// Applies the migrations that the database lacks and returns their names.
    ///
    /// # Errors
    /// As [`apply`](crate::apply), with these limits.
    pub async fn apply(&self, database: &Database, patience: &Patience) -> Result<Vec<String>, Error> {
        let mut client = db::connect(database).await?;
        timeout(patience.total + ANSWER, async {
            let begun = Instant::now();
            // The server must end a statement too, because the statement would outlive us. The role's own timeouts are for
            // the functions.
            set(&client, "statement_timeout", patience.total).await?;
            take_turn(&client, begun + patience.total).await?;
            self.run(&mut client, patience).await
        })
        .await
        .map_err(|_| "the migrations took too long: those that were recorded stay applied, and the next run continues after them")?
    }

    async fn run(&self, client: &mut Client, patience: &Patience) -> Result<Vec<String>, Error> {
        set(client, "lock_timeout", patience.lock).await?;
        // Compares the applied migrations with ours. It applies nothing, because no migration has the number 0.
        self.runner(Target::Version(0)).run_async(client).await.map_err(|error| explain(&error))?;
        let applied = self.runner(Target::Latest).get_applied_migrations_async(client).await?;
        let lacking = self.0.iter().filter(|migration| !applied.contains(migration));
        let mut names = Vec::new();
        for migration in lacking {
            self.apply_one(client, migration, patience).await?;
            names.push(migration.to_string());
        }
        Ok(names)
    }

    /// Applies a migration and records it. Tries again while the obstacle may pass.
    async fn apply_one(&self, client: &mut Client, migration: &Migration, patience: &Patience) -> Result<(), Error> {
        let (mut tries, mut runs) = (0, 0);
        loop {
            let result = if migration.name().starts_with(concurrently::PREFIX) {
                self.apply_concurrently(client, migration, patience).await
            } else {
                self.record(client, Target::Version(migration.version())).await
            };
            let Err(error) = result else { return Ok(()) };
            match obstacle(error.as_ref()) {
                Some(Obstacle::Lock) if tries + 1 < patience.tries => {
                    sleep(patience.pause * (1 << tries.min(5))).await;
                    tries += 1;
                }
                Some(Obstacle::Lock) => return Err(no_lock(client, migration, patience, explain(error.as_ref())).await),
                Some(Obstacle::OtherRun) if runs + 1 < RUNS => runs += 1,
                Some(Obstacle::OtherRun) | None => return Err(explain(error.as_ref())),
            }
        }
    }

    /// Runs its only statement outside a transaction, then records the migration.
    async fn apply_concurrently(
        &self,
        client: &mut Client,
        migration: &Migration,
        patience: &Patience,
    ) -> Result<(), Error> {
        set(client, "lock_timeout", Duration::ZERO).await?;
        let changed = concurrently::change(client, migration.sql().unwrap_or_default()).await;
        set(client, "lock_timeout", patience.lock).await?;
        changed.map_err(|error| Failed { migration: migration.to_string(), cause: error })?;
        self.record(client, Target::FakeVersion(migration.version())).await
    }

    /// Applies the missing migrations up to a version, each in one transaction with its record; or only records one.
    async fn record(&self, client: &mut Client, target: Target) -> Result<(), Error> {
        self.runner(target).run_async(client).await?;
        Ok(())
    }

    fn runner(&self, target: Target) -> Runner {
        Runner::new(&self.0).set_target(target)
    }
}

/// Sets a timeout of this session.
async fn set(client: &Client, name: &str, bound: Duration) -> Result<(), tokio_postgres::Error> {
    client.batch_execute(&format!("SET {name} = '{}ms'", bound.as_millis())).await
}

async fn take_turn(client: &Client, until: Instant) -> Result<(), Error> {
    while !client.query_one("SELECT pg_try_advisory_lock($1)", &[&TURN]).await?.get::<_, bool>(0) {
        if Instant::now() >= until {
            return Err("another run of the migrations has not finished".into());
        }
        sleep(POLL_EVERY).await;
    }
    Ok(())
}

/// An obstacle that will pass.
#[derive(Clone, Copy, Debug)]
enum Obstacle {
    /// Another session has a lock that the migration needs, or waits for one that the migration has.
    Lock,
    /// Another run changed the same row of a catalog ("tuple concurrently updated", which has no code of its own), or made it.
    OtherRun,
}

fn obstacle(error: &(dyn std::error::Error + 'static)) -> Option<Obstacle> {
    match server_error(error).map(DbError::code) {
        Some(code) if [SqlState::LOCK_NOT_AVAILABLE, SqlState::T_R_DEADLOCK_DETECTED].contains(code) => {
            Some(Obstacle::Lock)
        }
        // In a concurrent migration, they mean that rows violate a unique index.
        Some(code)
            if [SqlState::INTERNAL_ERROR, SqlState::UNIQUE_VIOLATION].contains(code) && !error.is::<Failed>() =>
        {
            Some(Obstacle::OtherRun)
        }
        _ => None,
    }
}

/// Says which sessions block the migration, as far as the owner may see them.
async fn no_lock(client: &Client, migration: &Migration, patience: &Patience, said: Error) -> Error {
    let holders = "SELECT coalesce(string_agg(DISTINCT format('%s of %s', pid, usename), ', '), 'none any more')
        FROM pg_locks JOIN pg_stat_activity USING (pid)
        WHERE granted AND relation IN (SELECT oid FROM pg_class WHERE relnamespace = current_schema()::regnamespace)
            AND pid <> pg_backend_pid()";
    let holders = match client.query_one(holders, &[]).await {
        Ok(row) => row.get(0),
        Err(_) => "unknown".to_owned(),
    };
    let Patience { lock, tries, .. } = patience;
    format!(
        "{migration} did not get a lock within {lock:?}, {tries} times, and was rolled back. Sessions that hold locks now: \
         {holders}. Run the migrations again when they are done. {said}"
    )
    .into()
}

/// A failure of a migration that refinery did not run itself.
#[derive(Debug)]
struct Failed {
    migration: String,
    cause: Error,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`error applying migration {}`, `{}`", self.migration, self.cause)
    }
}

impl std::error::Error for Failed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(self.cause.as_ref())
    }
}

/// Adds the server's message: refinery only says which migration failed.
fn explain(error: &(dyn std::error::Error + 'static)) -> Error {
    server_error(error).map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}")).into()
}

fn server_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a DbError> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<tokio_postgres::Error>() {
            return error.as_db_error();
        }
        next = error.source();
    }
    None
}
