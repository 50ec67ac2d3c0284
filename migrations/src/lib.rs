//! The schema's migrations: forward-only SQL files beside this package's `Cargo.toml`, applied in the order of their
//! numbers, each once.
//!
//! They run from a command or a test, never when a handler starts: a hundred instances that start at once must not
//! race to change the schema.
//!
//! # While tickets are sold
//!
//! A migration is one transaction, and waits 1.5 s for a lock. Whoever wants the table meanwhile waits behind it, so it then
//! gives up, lets them pass, and tries again. Therefore:
//!
//! - it locks one table that exists already: else it holds the first while it waits for the second;
//! - it does no work that grows with the table under such a lock: a constraint is added `NOT VALID`, and a later migration
//!   validates it;
//! - an index of a table that exists already is built beside the writes, which no transaction may do: the name of such a file
//!   begins with `concurrently_` after its number, as in `V8__concurrently_bookings_by_name.sql`, and it has that one
//!   statement, `CREATE [UNIQUE] INDEX CONCURRENTLY` or `DROP INDEX CONCURRENTLY`. What a failed try left is removed and built
//!   again.

use std::time::Duration;

use boxoffice_shared::platform::config::Database;

mod app_login;
mod concurrently;
mod run;

pub use app_login::{APP_ROLE, AppLogin, Claim, Given, give};
pub use run::Migrations;

/// Why the migrations were not applied.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// How long a run waits, and for what.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a lock of a migration. Less than the 2 s that the functions wait: a booking that queued behind it must not give up
    /// first. More than the server's `deadlock_timeout` (1 s), after which it ends an autovacuum that is in the way.
    pub lock: Duration,
    /// How often a migration is tried that did not get its locks.
    pub tries: u32,
    /// Between the first two tries; then twice as long each time, up to 32 times: the queue behind it passes.
    pub pause: Duration,
    /// For everything, another run that goes first and the slowest index included.
    pub total: Duration,
}

impl Default for Patience {
    /// Tries for five minutes, in which sales wait for 1.5 s in 9 at most; an hour for everything.
    fn default() -> Self {
        Self {
            lock: Duration::from_millis(1500),
            tries: 40,
            pause: Duration::from_millis(250),
            total: Duration::from_secs(3600),
        }
    }
}

/// Applies the migrations that the database lacks and gives their names.
///
/// # Errors
/// The database cannot be reached, a migration fails (what it did is undone) or does not get its locks, an applied one was
/// changed since, or it all took longer than an hour.
pub async fn apply(database: &Database) -> Result<Vec<String>, Error> {
    Migrations::ours().apply(database, &Patience::default()).await
}
