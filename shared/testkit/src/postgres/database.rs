//! A test's database.

use tokio_postgres::{Client, NoTls};

use super::Server;

/// A database for one test.
#[derive(Clone, Debug)]
pub struct Database {
    port: u16,
    name: String,
}

impl Database {
    /// Creates a migrated database on the server that tests share.
    pub async fn create() -> Self {
        Server::shared().create_database().await
    }

    pub(super) fn new(server: &Server, name: String) -> Self {
        Self { port: server.port(), name }
    }

    /// Its name on the server.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The URL with which Lambdas connect: as `boxoffice_app`, whose password is its name, without TLS.
    pub fn url(&self) -> String {
        self.url_at(self.port, "disable")
    }

    /// As [`Database::url`] at another loopback port, such as a proxy's, or with another `sslmode`.
    pub fn url_at(&self, port: u16, ssl_mode: &str) -> String {
        self.url_of("boxoffice_app", port, ssl_mode)
    }

    /// The URL with which its owner connects, the role that migrates it: without TLS.
    pub fn owner_url(&self) -> String {
        self.url_of("boxoffice", self.port, "disable")
    }

    /// The URL with which this role connects: with its name as the password, without TLS.
    pub fn url_as(&self, role: &str) -> String {
        self.url_of(role, self.port, "disable")
    }

    fn url_of(&self, role: &str, port: u16, ssl_mode: &str) -> String {
        format!("postgres://{role}:{role}@127.0.0.1:{port}/{}?sslmode={ssl_mode}", self.name)
    }

    /// The server's port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Connects as its owner, for what a test does to the data that no Lambda may do.
    pub async fn client(&self) -> Client {
        connect(&self.owner_url()).await
    }

    /// Connects as this role, such as `boxoffice_app`.
    pub async fn client_as(&self, role: &str) -> Client {
        connect(&self.url_as(role)).await
    }

    /// Connects as a superuser.
    pub async fn admin_client(&self) -> Client {
        connect(&format!("postgres://postgres@127.0.0.1:{}/{}?sslmode=disable", self.port, self.name)).await
    }
}

/// Connects. A task of the current runtime drives the connection, which ends with the client.
pub(super) async fn connect(url: &str) -> Client {
    let (client, connection) =
        tokio_postgres::connect(url, NoTls).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    tokio::spawn(async move {
        // The client notices the end: a test may well have stopped the server.
        let _ = connection.await;
    });
    client
}
