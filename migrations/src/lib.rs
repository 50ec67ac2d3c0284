//! The schema's migrations: forward-only SQL files beside this package's `Cargo.toml`, applied in the order of their
//! numbers, each once.
//!
//! They run from a command or a test, never when a handler starts: a hundred instances that start at once must not
//! race to change the schema.

use boxoffice_shared::{config::Database, db};
use tokio::time::{Duration, timeout};

/// Why the migrations were not applied.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// To apply all of them, waiting for another run included: 10 minutes, since a later one may rewrite a table.
const BOUND: Duration = Duration::from_secs(600);

/// A number of our own, so that two runs at once wait for each other.
const TAKE_TURNS: &str = "SET statement_timeout = 0; SET lock_timeout = 0; SELECT pg_advisory_lock(7204251)";

mod embedded {
    #![allow(missing_docs, unreachable_pub)]
    refinery::embed_migrations!(".");
}

/// Applies the migrations that the database lacks and gives their names.
///
/// # Errors
/// The database cannot be reached, a migration fails (what it did is undone), an applied one was changed since, or it
/// all took longer than 10 minutes.
pub async fn apply(database: &Database) -> Result<Vec<String>, Error> {
    let mut client = db::connect(database).await?;
    let report = timeout(BOUND, async {
        client.batch_execute(TAKE_TURNS).await?;
        Ok::<_, Error>(embedded::migrations::runner().run_async(&mut client).await?)
    })
    .await??;
    Ok(report.applied_migrations().iter().map(ToString::to_string).collect())
}
