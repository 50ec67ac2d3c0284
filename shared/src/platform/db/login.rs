//! Connecting, with what proves who we are as it is now: a password may be rotated while we run.

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

use super::{iam, pool::bounded};

/// How long a connection waits for its secret to be read again. With both attempts to connect, it stays within the 2 s
/// that the pool gives it.
const READ: Duration = Duration::from_secs(1);

/// How often a secret is read again at most, whoever is refused: between the change of a password in the database and
/// that of its secret lie seconds, in which every request is refused. A client is told to come back after as long.
const REREAD: Duration = Duration::from_secs(2);

/// Makes connections. What it answers to `tokio_postgres` is never a panic nor a wait without a bound.
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
    /// A connector to this database.
    ///
    /// # Errors
    /// For IAM: the environment has no credentials.
    pub(super) fn new(database: &Database, tls: TlsConnector) -> Result<Self, Cause> {
        let way = match database.login() {
            Login::Fixed => Way::Fixed(bounded(database)),
            Login::Secret { arn } => Way::Secret(Rotating::new(database, Arc::clone(arn), tls.clone())),
            Login::Iam { region } => Way::Iam(Signer {
                config: bounded(database),
                region: Arc::clone(region),
                // Lambda gives an instance its credentials once, for longer than it lives.
                credentials: aws::credentials()?,
            }),
        };
        Ok(Self { tls: MakeTlsConnector::new(tls), way })
    }

    /// A connection, driven by a task of the current runtime.
    ///
    /// # Errors
    /// The server cannot be reached or refuses us, by a rotated secret also a second time.
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
                tracing::debug!(%error, "a connection to the database ended");
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

/// Whether the server knows us no more: class 28, invalid authorization specification.
fn is_refusal(error: &PgError) -> bool {
    error.code().is_some_and(|code| code.code().starts_with("28"))
}

/// The database's secret.
struct Secret {
    arn: Arc<str>,
    tls: TlsConnector,
    database: Database,
}

/// It is not read again for its age: a password that the database takes is good.
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

/// A login by a secret, which may be rotated.
struct Rotating {
    first: Arc<Config>,
    secret: Refreshed<Secret>,
}

impl Rotating {
    /// With the database as its secret said just now.
    fn new(database: &Database, arn: Arc<str>, tls: TlsConnector) -> Self {
        let first = bounded(database);
        let secret = Secret { arn, tls, database: database.clone() };
        Self { first: Arc::new(first.clone()), secret: Refreshed::with(first, secret, RULES) }
    }

    async fn known(&self) -> Arc<Config> {
        // There is one from the start, and it is trusted for ever: the database itself says when it is not good any more.
        self.secret.get().await.unwrap_or_else(|_| Arc::clone(&self.first))
    }

    /// What the secret says now, if that is other than what was refused.
    async fn newer_than(&self, refused: &Arc<Config>) -> Option<Arc<Config>> {
        // Whether it cannot be read is in the log.
        let newer = self.secret.newer_than(refused).await.ok()??;
        if *newer == **refused {
            tracing::warn!("the database refuses the password of its secret");
            return None;
        }
        tracing::info!("the database's secret has changed and is used");
        Some(newer)
    }
}

/// Makes a token for each connection.
struct Signer {
    config: Config,
    region: Arc<str>,
    credentials: Credentials,
}

impl Signer {
    /// The settings with a token as of now. Without one, if it cannot be made: then the login says that a password is
    /// missing, and the database counts as unreachable.
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
            Err(cause) => tracing::error!(?cause, "no token for the database can be made"),
        }
        config
    }
}
