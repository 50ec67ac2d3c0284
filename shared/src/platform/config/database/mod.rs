//! Where the database is and how connections log in.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Deserialize;
use tokio_postgres::{
    Config,
    config::{Host, SslMode},
};

use super::{Reader, Source};

impl<S: Source> Reader<'_, S> {
    /// `DATABASE_URL` or `DATABASE_SECRET_ARN`, and `DATABASE_AUTH`, `DATABASE_HOST`, `DATABASE_CA_FILE` and
    /// `DATABASE_STATEMENTS`.
    pub fn database(&mut self) -> Option<DatabaseSource> {
        let host = self.database_host("DATABASE_HOST");
        self.database_at(host?)
    }

    /// As [`database`](Self::database), at `DATABASE_READ_HOST` if that is set: a replica, for functions that only
    /// read.
    pub fn read_database(&mut self) -> Option<DatabaseSource> {
        let hosts = self.database_host("DATABASE_READ_HOST").zip(self.database_host("DATABASE_HOST"));
        let (replica, writer) = hosts?;
        self.database_at(replica.or(writer))
    }

    fn database_at(&mut self, host: Option<HostPort>) -> Option<DatabaseSource> {
        let (naming, auth) = (self.naming(), self.auth());
        let ca_file = self.source.get("DATABASE_CA_FILE").map(PathBuf::from);
        let settings = naming.zip(auth).map(|(naming, auth)| Settings { auth, host, ca_file, naming });
        match (self.source.get("DATABASE_URL"), self.source.get("DATABASE_SECRET_ARN")) {
            (Some(url), None) => match Database::from_url_with(&url, settings.clone().unwrap_or_default()) {
                Ok(database) => settings.map(|_| DatabaseSource(Place::Known(Box::new(database)))),
                Err(fault) => self.fault(fault),
            },
            (None, Some(arn)) => settings.map(|settings| DatabaseSource(Place::Secret { arn: arn.into(), settings })),
            (None, None) => self.fault("DATABASE_URL or DATABASE_SECRET_ARN must be set.".into()),
            (Some(_), Some(_)) => self.fault("DATABASE_URL and DATABASE_SECRET_ARN must not both be set.".into()),
        }
    }

    /// `DATABASE_STATEMENTS`: `prepared` unless set.
    fn naming(&mut self) -> Option<StatementNaming> {
        match self.source.get("DATABASE_STATEMENTS").as_deref() {
            None | Some("prepared") => Some(StatementNaming::Prepared),
            Some("unnamed") => Some(StatementNaming::Unnamed),
            Some(_) => self.fault("DATABASE_STATEMENTS must be prepared or unnamed.".into()),
        }
    }

    /// `DATABASE_AUTH`: `password` unless set. For `iam` also `AWS_REGION`, which Lambda sets.
    fn auth(&mut self) -> Option<Auth> {
        match self.source.get("DATABASE_AUTH").as_deref() {
            None | Some("password") => Some(Auth::Password),
            Some("iam") => match self.source.get("AWS_REGION") {
                Some(region) => Some(Auth::Iam { region: region.into() }),
                None => self.fault("AWS_REGION must be set for DATABASE_AUTH=iam.".into()),
            },
            Some(_) => self.fault("DATABASE_AUTH must be password or iam.".into()),
        }
    }

    /// `None` if it is invalid, `Some(None)` if it is not set.
    fn database_host(&mut self, name: &str) -> Option<Option<HostPort>> {
        match self.source.get(name).map(|text| HostPort::parse(&text)) {
            None => Some(None),
            Some(Some(host)) => Some(Some(host)),
            Some(None) => self.fault(format!("{name} must be a host, or host:port.")),
        }
    }
}

/// Where the environment says that the database's address and password are.
#[derive(Clone, Debug)]
pub struct DatabaseSource(Place);

#[derive(Clone, Debug)]
enum Place {
    /// In the environment.
    Known(Box<Database>),
    /// In a secret of Secrets Manager.
    Secret { arn: Arc<str>, settings: Settings },
}

/// The settings that do not depend on a secret.
#[derive(Clone, Debug, Default)]
struct Settings {
    auth: Auth,
    /// Replaces the host of the URL or the secret.
    host: Option<HostPort>,
    ca_file: Option<PathBuf>,
    naming: StatementNaming,
}

/// How statements are sent to the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StatementNaming {
    /// Prepared under a name once per connection, so that the server plans each statement once. Planning a booking
    /// takes longer than running it.
    #[default]
    Prepared,
    /// Unnamed, planned on each run: for poolers such as RDS Proxy that pin a session once it prepares statements.
    Unnamed,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Auth {
    #[default]
    Password,
    Iam {
        region: Arc<str>,
    },
}

/// How a connection logs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Login {
    /// With the URL's password or none. It does not change while the process runs.
    Fixed,
    /// With the password in a secret of Secrets Manager, which may be rotated while the process runs.
    Secret {
        /// The secret's ARN.
        arn: Arc<str>,
    },
    /// With an RDS token that is made for each connection.
    Iam {
        /// The database's region.
        region: Arc<str>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct HostPort {
    host: String,
    port: Option<u16>,
}

impl HostPort {
    /// `host`, `host:port`, `[IPv6]:port` or an IPv6 address alone.
    fn parse(text: &str) -> Option<Self> {
        let whole = |host: &str| Self { host: host.to_owned(), port: None };
        if text.parse::<IpAddr>().is_ok() {
            return Some(whole(text));
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok()?)),
            None => (text, None),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let named = host.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c)) && !host.is_empty();
        (named || host.parse::<IpAddr>().is_ok()).then(|| Self { port, ..whole(host) })
    }
}

impl DatabaseSource {
    /// The file of certificates to trust in addition to the system's.
    pub fn ca_file(&self) -> Option<&Path> {
        match &self.0 {
            Place::Known(database) => database.ca_file(),
            Place::Secret { settings, .. } => settings.ca_file.as_deref(),
        }
    }

    /// Builds the database's settings. `read` reads the secret, if they are in one.
    pub(crate) async fn resolve<E, R>(self, read: impl FnOnce(Arc<str>) -> R) -> Result<Database, E>
    where
        E: From<String>,
        R: Future<Output = Result<String, E>>,
    {
        match self.0 {
            Place::Known(database) => Ok(*database),
            Place::Secret { arn, settings } => {
                let text = read(Arc::clone(&arn)).await?;
                Ok(Database::from_secret_with(&text, Some(arn), settings)?)
            }
        }
    }
}

/// The database's address, login and trusted certificates. Its `Debug` shows no secrets.
#[derive(Clone, Debug)]
pub struct Database {
    postgres: Config,
    login: Login,
    settings: Settings,
}

impl Database {
    /// Parses a `postgres://` URL. With `ca_file`, TLS is required whatever the URL says. Without it, TLS is required
    /// on every host except loopback, unless the URL says `sslmode=disable`.
    ///
    /// # Errors
    /// What is wrong with the URL. The message does not contain the URL, which has a password in it.
    pub fn from_url(url: &str, ca_file: Option<PathBuf>) -> Result<Self, String> {
        Self::from_url_with(url, Settings { ca_file, ..Settings::default() })
    }

    /// Parses the JSON that RDS stores in Secrets Manager. TLS is required. The password is fixed.
    ///
    /// # Errors
    /// What is wrong with the secret. The message does not contain the secret.
    pub fn from_secret(json: &str, ca_file: Option<PathBuf>) -> Result<Self, String> {
        Self::from_secret_with(json, None, Settings { ca_file, ..Settings::default() })
    }

    fn from_url_with(url: &str, settings: Settings) -> Result<Self, String> {
        let postgres = url
            .parse::<Config>()
            .map_err(|_| "DATABASE_URL must have the form postgres://user:password@host:port/database.".to_owned())?;
        if postgres.get_hosts().is_empty() || postgres.get_dbname().is_none() || postgres.get_user().is_none() {
            return Err("DATABASE_URL must name a user, a host and a database.".into());
        }
        let iam = settings.auth != Auth::Password;
        if iam && postgres.get_password().is_some() {
            return Err("DATABASE_URL must have no password for DATABASE_AUTH=iam.".into());
        }
        if iam && postgres.get_ssl_mode() == SslMode::Disable {
            return Err("DATABASE_URL must not say sslmode=disable for DATABASE_AUTH=iam.".into());
        }
        let postgres = settings.moved(&postgres);
        Ok(Self::new(postgres, Login::Fixed, settings))
    }

    fn from_secret_with(json: &str, arn: Option<Arc<str>>, settings: Settings) -> Result<Self, String> {
        let secret: Secret = serde_json::from_str(json)
            .map_err(|_| "The database's secret must be JSON with username, password, host, port and dbname.")?;
        let mut postgres = Config::new();
        postgres.user(secret.username).host(secret.host).port(secret.port).dbname(secret.dbname);
        postgres.ssl_mode(SslMode::Require);
        match (secret.password, &settings.auth) {
            (Some(password), Auth::Password) => _ = postgres.password(password),
            (None, Auth::Password) => return Err("The database's secret must have a password.".into()),
            (_, Auth::Iam { .. }) => {}
        }
        let postgres = settings.moved(&postgres);
        Ok(Self::new(postgres, arn.map_or(Login::Fixed, |arn| Login::Secret { arn }), settings))
    }

    fn new(mut postgres: Config, login: Login, settings: Settings) -> Self {
        let login = match &settings.auth {
            Auth::Password => login,
            Auth::Iam { region } => Login::Iam { region: Arc::clone(region) },
        };
        let in_clear = postgres.get_ssl_mode() == SslMode::Prefer && !is_loopback(&postgres);
        if settings.ca_file.is_some() || matches!(login, Login::Iam { .. }) || in_clear {
            postgres.ssl_mode(SslMode::Require);
        }
        Self { postgres, login, settings }
    }

    /// Sets how statements are sent. The default is prepared.
    pub fn with_naming(mut self, naming: StatementNaming) -> Self {
        self.settings.naming = naming;
        self
    }

    /// The same database with the current contents of its secret.
    pub(crate) fn with_secret(&self, json: &str) -> Result<Self, String> {
        let arn = match &self.login {
            Login::Secret { arn } => Some(Arc::clone(arn)),
            Login::Fixed | Login::Iam { .. } => None,
        };
        Self::from_secret_with(json, arn, self.settings.clone())
    }

    /// The role that connects.
    pub fn user(&self) -> &str {
        self.postgres.get_user().unwrap_or_default()
    }

    /// The role's password, if it has one.
    pub fn password(&self) -> Option<&[u8]> {
        self.postgres.get_password()
    }

    pub(crate) fn naming(&self) -> StatementNaming {
        self.settings.naming
    }

    pub(crate) fn postgres(&self) -> &Config {
        &self.postgres
    }

    pub(crate) fn login(&self) -> &Login {
        &self.login
    }

    pub(crate) fn ca_file(&self) -> Option<&Path> {
        self.settings.ca_file.as_deref()
    }
}

impl Settings {
    /// The configuration with its hosts replaced by the one that is set, if any.
    fn moved(&self, postgres: &Config) -> Config {
        let Some(HostPort { host, port }) = &self.host else { return postgres.clone() };
        let mut moved = Config::new();
        moved.host(host).port(port.or_else(|| postgres.get_ports().first().copied()).unwrap_or(5432));
        moved.ssl_mode(postgres.get_ssl_mode());
        if let Some(user) = postgres.get_user() {
            moved.user(user);
        }
        if let Some(password) = postgres.get_password() {
            moved.password(password);
        }
        if let Some(dbname) = postgres.get_dbname() {
            moved.dbname(dbname);
        }
        if let Some(options) = postgres.get_options() {
            moved.options(options);
        }
        moved
    }
}

/// Whether every address is this machine's, so that nothing crosses a network.
fn is_loopback(postgres: &Config) -> bool {
    let local = |host: &Host| match host {
        Host::Tcp(host) => host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()),
        Host::Unix(_) => true,
    };
    postgres.get_hosts().iter().all(local) && postgres.get_hostaddrs().iter().all(IpAddr::is_loopback)
}

/// A secret as RDS writes it. It may have more members; with IAM it needs no password.
#[derive(Deserialize)]
struct Secret {
    username: String,
    password: Option<String>,
    host: String,
    port: u16,
    dbname: String,
}

#[cfg(test)]
mod tests;
