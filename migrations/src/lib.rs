//! The schema's migrations: forward-only SQL files next to this package's `Cargo.toml`, each applied once, in the order of
//! their numbers.
//!
//! They run from a command or a test, never when a handler starts: a hundred instances that start at once must not
//! race to change the schema.
//!
//! Read `schema.sql` and `functions/*.sql` to learn what the database holds after all migrations.
//!
//! # While tickets are sold
//!
//! A migration is one transaction and waits 1.5 s for a lock. Every statement that needs the table meanwhile queues behind it.
//! So the migration gives up after that time, lets them pass, and tries again. Therefore a migration:
//!
//! - locks at most one table that exists already: otherwise it would hold one table while it waits for another;
//! - does no work that grows with the table under such a lock: it adds a constraint as `NOT VALID`, and a later migration
//!   validates the constraint;
//! - builds an index on an existing table concurrently with writes. Postgres does not allow that in a transaction, so such a
//!   file has a name that begins with `concurrently_` after its number, as in `V8__concurrently_bookings_by_name.sql`, and one
//!   statement: `CREATE [UNIQUE] INDEX CONCURRENTLY` or `DROP INDEX CONCURRENTLY`. If an attempt fails, the next one drops the
//!   invalid index and builds it again.

use std::time::Duration;

use boxoffice_shared::platform::config::Database;

mod app_login;
mod concurrently;
mod run;

pub use app_login::{APP_ROLE, AppLogin, Claim, Granted, grant_login};
pub use run::Migrations;

/// Why the migrations were not applied, or the login was not granted.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// How long a run waits, and for what.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a lock that a migration needs. Less than the 2 s that the functions wait: a booking that queues behind the migration
    /// must not give up first. More than the server's `deadlock_timeout` (1 s), after which the server cancels an autovacuum
    /// that blocks the migration.
    pub lock: Duration,
    /// How many times a migration is tried if it does not get its locks.
    pub tries: u32,
    /// Between the first two tries, so that queued statements can pass. It doubles after each try, up to 32 times this pause.
    pub pause: Duration,
    /// For the whole run, including the wait for another run and the slowest index.
    pub total: Duration,
}

impl Default for Patience {
    /// Tries for five minutes; in that time, sales wait at most 1.5 s of every 9 s. The whole run may take an hour.
    fn default() -> Self {
        Self {
            lock: Duration::from_millis(1500),
            tries: 40,
            pause: Duration::from_millis(250),
            total: Duration::from_secs(3600),
        }
    }
}

/// Applies the migrations that the database lacks and returns their names.
///
/// # Errors
/// The database cannot be reached; a migration fails (it is rolled back) or does not get its locks; a migration was changed
/// after it was applied; or the run took longer than an hour.
pub async fn apply(database: &Database) -> Result<Vec<String>, Error> {
    Migrations::ours().apply(database, &Patience::default()).await
}
