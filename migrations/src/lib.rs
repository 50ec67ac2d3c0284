//! The schema's migrations: forward-only SQL files beside this package's `Cargo.toml`, applied in the order of their
//! numbers, each once.
//!
//! They run from a command or a test, never when a handler starts: a hundred instances that start at once must not
//! race to change the schema.

use boxoffice_shared::{config::Database, db};
use tokio::time::{Duration, timeout};
use tokio_postgres::error::SqlState;

mod app_login;

pub use app_login::{APP_ROLE, AppLogin, Given, give};

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

/// Runs, when another database of the server is migrated at the same time: roles are the server's, two may change one at
/// once, and Postgres then refuses the second instead of letting it wait.
const RUNS: u32 = 5;

/// Applies the migrations that the database lacks and gives their names.
///
/// # Errors
/// The database cannot be reached, a migration fails (what it did is undone), an applied one was changed since, or it
/// all took longer than 10 minutes.
pub async fn apply(database: &Database) -> Result<Vec<String>, Error> {
    let mut client = db::connect(database).await?;
    timeout(BOUND, async {
        client.batch_execute(TAKE_TURNS).await?;
        let mut applied = Vec::new();
        for run in 1.. {
            match embedded::migrations::runner().run_async(&mut client).await {
                Ok(report) => {
                    applied.extend(report.applied_migrations().iter().map(ToString::to_string));
                    break;
                }
                Err(error) if run < RUNS && met_another(&error) => {
                    let done = error.report().map(|report| report.applied_migrations().as_slice()).unwrap_or_default();
                    applied.extend(done.iter().map(ToString::to_string));
                }
                Err(error) => return Err(told(&error)),
            }
        }
        Ok(applied)
    })
    .await?
}

/// "tuple concurrently updated", which has no code of its own, or a row of a catalog that is there by now.
fn met_another(error: &refinery::Error) -> bool {
    let code = server_error(error).map(|error| error.code());
    matches!(code, Some(code) if [SqlState::INTERNAL_ERROR, SqlState::UNIQUE_VIOLATION].contains(code))
}

/// With what the server said: the library's own words are only which migration it was.
fn told(error: &refinery::Error) -> Error {
    server_error(error).map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}")).into()
}

fn server_error(error: &refinery::Error) -> Option<&tokio_postgres::error::DbError> {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(error) = cause.downcast_ref::<tokio_postgres::Error>() {
            return error.as_db_error();
        }
        source = cause.source();
    }
    None
}
