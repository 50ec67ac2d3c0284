//! Opens connections with the current login: a password may be rotated while the process runs.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_credential_types::Credentials;
use deadpool_postgres::Connect;
use futures_util::future::BoxFuture;
use native_tls::TlsConnector;
use postgres_native_tls::MakeTlsConnector;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, Error as PgError, config::Host};

use crate::platform::{
    Cause, aws,
    config::{Database, Login},
    refreshed::{Refreshed, Rules, Source},
    secret,
};

use super::iam;

/// The time limit for connecting, including TLS, the login, and a second attempt with a rotated secret. Within an
/// availability zone connecting takes about 10 ms; a host that is gone does not answer at all.
pub(super) const CONNECT: Duration = Duration::from_secs(2);

/// How long a connection waits for its secret to be read again. Together with both attempts to connect, this stays
/// within the pool's 2 s.
const READ: Duration = Duration::from_secs(1);

/// The minimum time between two reads of a secret. When a password is rotated, seconds pass between the change in the
/// database and the change of the secret, and every request in between is refused. Clients are told to retry after the
/// same time.
const REREAD: Duration = Duration::from_secs(2);

/// Opens connections. It never panics inside `tokio_postgres` and never waits without a time limit.
pub(super) struct Connector {
    tls: MakeTlsConnector,
    way: Way,
}

enum Way {
    Fixed(Config),
    Secret(Rotating),
    Iam(Signer),
}

impl Connector {
    /// Creates a connector to this database.
    ///
    /// # Errors
    /// IAM login is set and the environment has no credentials.
    pub(super) fn new(database: &Database, tls: TlsConnector) -> Result<Self, Cause> {
        let way = match database.login() {
            Login::Fixed => Way::Fixed(bounded(database)),
            Login::Secret { arn } => Way::Secret(Rotating::new(database, Arc::clone(arn), tls.clone())),
            Login::Iam { region } => Way::Iam(Signer {
                config: bounded(database),
                region: Arc::clone(region),
                // Lambda gives an instance its credentials once, and they outlive the instance.
                credentials: aws::credentials()?,
            }),
        };
        Ok(Self { tls: MakeTlsConnector::new(tls), way })
    }

    /// Opens a connection, driven by a task of the current runtime.
    ///
    /// # Errors
    /// The server cannot be reached or refuses the login. With a secret that may be rotated, it refused the new
    /// password too.
    pub(super) async fn open(&self) -> Result<(Client, JoinHandle<()>), PgError> {
        match &self.way {
            Way::Fixed(config) => self.open_by(config).await,
            Way::Iam(signer) => self.open_by(&signer.signed()).await,
            Way::Secret(rotating) => {
                let known = rotating.known().await;
                match self.open_by(&known).await {
                    Err(error) if is_refusal(&error) => match rotating.newer_than(&known).await {
                        Some(newer) => self.open_by(&newer).await,
                        None => Err(error),
                    },
                    result => result,
                }
            }
        }
    }

    async fn open_by(&self, config: &Config) -> Result<(Client, JoinHandle<()>), PgError> {
        let (client, connection) = config.connect(self.tls.clone()).await?;
        let driving = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a database connection ended");
            }
        });
        Ok((client, driving))
    }
}

impl Connect for Connector {
    fn connect(&self, _: &Config) -> BoxFuture<'_, Result<(Client, JoinHandle<()>), PgError>> {
        Box::pin(self.open())
    }
}

/// Whether the server refused the login: class 28, invalid authorization specification.
fn is_refusal(error: &PgError) -> bool {
    error.code().is_some_and(|code| code.code().starts_with("28"))
}

/// The database's secret.
struct Secret {
    arn: Arc<str>,
    tls: TlsConnector,
    database: Database,
}

/// A secret is never read again for its age: a password that the database accepts is good.
const RULES: Rules = Rules { keep: Duration::MAX, again: REREAD, trust: Duration::MAX, wait: READ };

impl Source for Secret {
    type Value = Config;

    fn name(&self) -> &'static str {
        "the database's secret"
    }

    async fn read(&self) -> Result<Config, Cause> {
        let text = secret::read(&self.arn, &self.tls).await?;
        Ok(bounded(&self.database.with_secret(&text)?))
    }
}

/// A login with a secret that may be rotated.
struct Rotating {
    first: Arc<Config>,
    secret: Refreshed<Secret>,
}

impl Rotating {
    /// Starts with the settings that the secret has just given.
    fn new(database: &Database, arn: Arc<str>, tls: TlsConnector) -> Self {
        let first = bounded(database);
        let secret = Secret { arn, tls, database: database.clone() };
        Self { first: Arc::new(first.clone()), secret: Refreshed::with(first, secret, RULES) }
    }

    async fn known(&self) -> Arc<Config> {
        // There is a value from the start, and it never becomes too old: the database itself refuses a password that is
        // invalid.
        self.secret.get().await.unwrap_or_else(|_| Arc::clone(&self.first))
    }

    /// The secret's current settings, if they differ from those that were refused.
    async fn newer_than(&self, refused: &Arc<Config>) -> Option<Arc<Config>> {
        // A failed read is logged where it happens.
        let newer = self.secret.newer_than(refused).await.ok()??;
        if *newer == **refused {
            tracing::warn!("the database refuses the password in its secret");
            return None;
        }
        tracing::info!("the database's secret has changed; connecting with the new password");
        Some(newer)
    }
}

/// Creates a token for each connection.
struct Signer {
    config: Config,
    region: Arc<str>,
    credentials: Credentials,
}

impl Signer {
    /// The settings with a fresh token, or without one if it cannot be created: then the login fails for want of a
    /// password, and the database counts as unreachable.
    fn signed(&self) -> Config {
        let mut config = self.config.clone();
        let host = config.get_hosts().iter().find_map(|host| match host {
            Host::Tcp(host) => Some(host.clone()),
            Host::Unix(_) => None,
        });
        let port = config.get_ports().first().copied().unwrap_or(5432);
        let token = host.ok_or_else(|| Cause::from("a socket has no host")).and_then(|host| {
            let user = config.get_user().unwrap_or_default();
            iam::token(&self.credentials, &self.region, (&host, port), user, SystemTime::now())
        });
        match token {
            Ok(token) => _ = config.password(token),
            Err(cause) => tracing::error!(?cause, "could not create a login token for the database"),
        }
        config
    }
}

/// The database's configuration with time limits against a silent peer.
fn bounded(database: &Database) -> Config {
    let mut config = database.postgres().clone();
    config
        .application_name("boxoffice")
        .connect_timeout(CONNECT)
        // The kernel, too, notices a peer that vanished: 5 s after data went unacknowledged.
        .tcp_user_timeout(Duration::from_secs(5))
        .keepalives_idle(Duration::from_secs(30));
    config
}
