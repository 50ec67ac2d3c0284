//! A private Postgres server, and a fresh database for each test.
//!
//! ```no_run
//! # async fn example() {
//! use boxoffice_testkit::postgres::Database;
//! let database = Database::create().await; // migrated, empty, for this test alone
//! let client = database.client().await;
//! client.execute("SELECT 1", &[]).await.unwrap();
//! # }
//! ```
//!
//! The server listens on a loopback port and lives in a temporary directory. However the process that started it ends, the
//! server is stopped and its directory is removed. That process is the test's, or `with-postgres` for a whole run.

mod database;
mod janitor;
mod options;
mod server;
mod tls;
mod tools;

pub use database::Database;
pub use options::Options;
pub(crate) use server::free_port;
pub use server::{PausedBackend, SHARED_SERVER, Server, Stop};
pub(crate) use tls::make_certificates;
