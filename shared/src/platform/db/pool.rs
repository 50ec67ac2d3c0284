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

use super::{fault::Fault, login::Connector};

/// To connect, TLS and password included, and to read a rotated secret and connect again: within one availability zone it takes some 10 ms. A host that is gone answers
/// nothing at all.
const CONNECT: Duration = Duration::from_secs(2);

/// The same for a command, which nobody waits for: an Aurora that was scaled to nothing takes some 15 s to wake up.
const CONNECT_ONE: Duration = Duration::from_secs(30);

/// To wait for a connection of the pool when all are in use: as long as a lock is waited for.
const WAIT: Duration = Duration::from_secs(2);

/// Shared access to the database. Clones share one pool.
#[derive(Clone, Debug)]
pub struct Db {
    pub(super) pool: Pool,
    pub(super) naming: StatementNaming,
}

impl Db {
    /// Prepares a pool of at most `connections`; opens none.
    ///
    /// # Errors
    /// For a login by IAM, the environment has no credentials.
    pub fn new(database: &Database, tls: TlsConnector, connections: NonZeroU16) -> Result<Self, Cause> {
        let manager = Manager::from_connect(
            // Not used: the connector has its own, which may change.
            Config::new(),
            Connector::new(database, tls)?,
            // `Fast` asks the connection, not the server, whether it is open: a booking costs one round trip. What it
            // cannot see, a peer that fell silent, the time bound of each attempt does.
            ManagerConfig { recycling_method: RecyclingMethod::Fast },
        );
        let pool = Pool::builder(manager)
            .max_size(connections.get().into())
            .runtime(Runtime::Tokio1)
            .timeouts(Timeouts { wait: Some(WAIT), create: Some(CONNECT), recycle: Some(CONNECT) })
            .build()?;
        Ok(Self { pool, naming: database.naming() })
    }

    /// Opens all connections of the pool, so that the first requests find them open.
    ///
    /// # Errors
    /// The server cannot be reached, or refuses us.
    pub async fn warm(&self) -> Result<(), Cause> {
        for connection in self.all().await {
            drop(connection.map_err(Fault::cause_of_pool)?);
        }
        Ok(())
    }

    /// Every connection of the pool at once: one in classic Lambda.
    pub(super) async fn all(&self) -> Vec<Result<Object, PoolError>> {
        join_all((0..self.pool.status().max_size).map(|_| self.pool.get())).await
    }
}

/// One connection outside a pool, for migrations and tools. It closes when the client is dropped.
///
/// # Errors
/// The server cannot be reached, or refuses.
pub async fn connect(database: &Database) -> Result<Client, Cause> {
    let connector = Connector::new(database, tls::connector(database.ca_file())?)?;
    let (client, _driving) = timeout(CONNECT_ONE, connector.open()).await??;
    Ok(client)
}

/// The caller's configuration with bounds on silence.
pub(super) fn bounded(database: &Database) -> Config {
    let mut config = database.postgres().clone();
    config
        .application_name("boxoffice")
        .connect_timeout(CONNECT)
        // A peer that vanished without a word is noticed by the kernel too: 5 s after data went unacknowledged.
        .tcp_user_timeout(Duration::from_secs(5))
        .keepalives_idle(Duration::from_secs(30));
    config
}
