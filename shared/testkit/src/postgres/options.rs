//! The settings of a private server.

/// The settings of a private server: [`Options::fast`] for tests, [`Options::durable`] for measurements.
#[derive(Clone, Debug)]
pub struct Options {
    pub(super) durable: bool,
    pub(super) max_connections: u16,
    pub(super) password: bool,
    pub(super) tls: bool,
    pub(super) settings: Vec<(String, String)>,
}

impl Options {
    /// Survives a crash of the server but not of the machine: `fsync=off`. 1,000 connections, because a single test may take
    /// 200 and several run side by side. No password, no TLS.
    pub fn fast() -> Self {
        Self { durable: false, max_connections: 1_000, password: false, tls: false, settings: Vec::new() }
    }

    /// As in production: `fsync=on`, `full_page_writes=on`, `synchronous_commit=on`.
    pub fn durable() -> Self {
        Self { durable: true, ..Self::fast() }
    }

    /// Sets the maximum number of connections.
    pub fn max_connections(mut self, connections: u16) -> Self {
        self.max_connections = connections;
        self
    }

    /// Asks every role except the superuser for its password (SCRAM-SHA-256), as a real server does. Costs some
    /// milliseconds per connection.
    pub fn password(mut self) -> Self {
        self.password = true;
        self
    }

    /// Offers TLS, with a certificate for `localhost` and 127.0.0.1 from a certificate authority of its own. Needs the
    /// `openssl` command.
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// Adds a line to `postgresql.conf`. The last line of a name counts.
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The lines for `postgresql.conf`.
    pub(super) fn conf(&self, port: u16) -> String {
        let on_off = |on| if on { "on" } else { "off" };
        let mut lines = vec![
            "listen_addresses = '127.0.0.1'".to_owned(),
            "unix_socket_directories = ''".to_owned(),
            format!("port = {port}"),
            format!("max_connections = {}", self.max_connections),
            format!("fsync = {}", on_off(self.durable)),
            format!("full_page_writes = {}", on_off(self.durable)),
            format!("ssl = {}", on_off(self.tls)),
            // Rare, so that no checkpoint falls into one test or measured run and not into the next.
            "max_wal_size = '4GB'".to_owned(),
            "checkpoint_timeout = '30min'".to_owned(),
            "log_line_prefix = '%m [%p] %u@%d '".to_owned(),
        ];
        lines.extend(self.settings.iter().map(|(name, value)| format!("{name} = '{}'", value.replace('\'', "''"))));
        lines.join("\n") + "\n"
    }

    /// The lines for `pg_hba.conf`. The superuser needs no password, since only the tests use it.
    pub(super) fn hba(&self) -> String {
        let method = if self.password { "scram-sha-256" } else { "trust" };
        format!("host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 {method}\n")
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::fast()
    }
}
