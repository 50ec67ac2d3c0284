//! The connection pool.

use std::{num::NonZeroU16, time::Duration};

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime, Timeouts};
use futures_util::future::join_all;
use native_tls::TlsConnector;
use tokio::time::timeout;
use tokio_postgres::{Client, Config};

use crate::platform::{
    Cause,
    config::{Database, StatementNaming},
    tls,
};

use super::{
    fault::Fault,
    login::{CONNECT, Connector},
};

/// The time limit for connecting in a command-line tool: an Aurora that was scaled to zero takes about 15 s to wake up.
const CONNECT_ONE: Duration = Duration::from_secs(30);

/// The time limit for waiting until a pooled connection is free: the same as the lock timeout.
const WAIT: Duration = Duration::from_secs(2);

/// A handle to the database. Clones share one connection pool.
#[derive(Clone, Debug)]
pub struct Db {
    pub(super) pool: Pool,
    pub(super) naming: StatementNaming,
}

impl Db {
    /// Creates a pool of at most `connections` and opens none of them.
    ///
    /// # Errors
    /// IAM login is set and the environment has no credentials.
    pub fn new(database: &Database, tls: TlsConnector, connections: NonZeroU16) -> Result<Self, Cause> {
        let manager = Manager::from_connect(
            // Unused: the connector has its own configuration, which may change.
            Config::new(),
            Connector::new(database, tls)?,
            // `Fast` asks the connection and not the server whether it is open, so a booking costs one round trip. It
            // cannot detect a peer that fell silent; the time limit of each attempt does.
            ManagerConfig { recycling_method: RecyclingMethod::Fast },
        );
        let pool = Pool::builder(manager)
            .max_size(connections.get().into())
            .runtime(Runtime::Tokio1)
            .timeouts(Timeouts { wait: Some(WAIT), create: Some(CONNECT), recycle: Some(CONNECT) })
            .build()?;
        Ok(Self { pool, naming: database.naming() })
    }

    /// Opens all connections of the pool ahead of the first requests.
    ///
    /// # Errors
    /// The server cannot be reached, or refuses the login.
    pub async fn warm(&self) -> Result<(), Cause> {
        for connection in self.all().await {
            drop(connection.map_err(Fault::cause_of_pool)?);
        }
        Ok(())
    }

    /// Takes every connection of the pool at once: one in classic Lambda.
    pub(super) async fn all(&self) -> Vec<Result<Object, PoolError>> {
        join_all((0..self.pool.status().max_size).map(|_| self.pool.get())).await
    }
}

/// Opens one connection outside a pool, for migrations and tools. It closes when the client is dropped.
///
/// # Errors
/// The server cannot be reached, or refuses the login.
pub async fn connect(database: &Database) -> Result<Client, Cause> {
    let connector = Connector::new(database, tls::connector(database.ca_file())?)?;
    let (client, _driving) = timeout(CONNECT_ONE, connector.open()).await??;
    Ok(client)
}
