//! One test's database.

use tokio_postgres::{Client, NoTls};

use super::Server;

/// A database of its own for one test.
#[derive(Clone, Debug)]
pub struct Database {
    port: u16,
    name: String,
}

impl Database {
    /// A fresh migrated database on the server that tests share.
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

    /// Where the Lambdas connect, as `boxoffice_app`, without TLS. Its password is its name.
    pub fn url(&self) -> String {
        self.url_at(self.port, "disable")
    }

    /// As [`Database::url`] at another loopback port, such as a proxy's, or with another `sslmode`.
    pub fn url_at(&self, port: u16, ssl_mode: &str) -> String {
        self.url_of("boxoffice_app", port, ssl_mode)
    }

    /// Where its owner connects, the role that migrates it, without TLS.
    pub fn owner_url(&self) -> String {
        self.url_of("boxoffice", self.port, "disable")
    }

    /// Where this role connects without TLS, with its name for a password.
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

    /// A connection of its owner: what a test does to the data that no Lambda may.
    pub async fn client(&self) -> Client {
        connect(&self.owner_url()).await
    }

    /// A connection of this role, such as `boxoffice_app`.
    pub async fn client_as(&self, role: &str) -> Client {
        connect(&self.url_as(role)).await
    }

    /// A superuser's connection to it.
    pub async fn admin_client(&self) -> Client {
        connect(&format!("postgres://postgres@127.0.0.1:{}/{}?sslmode=disable", self.port, self.name)).await
    }
}

/// Connects; the connection is driven by a task of the current runtime, and ends with the client.
pub(super) async fn connect(url: &str) -> Client {
    let (client, connection) =
        tokio_postgres::connect(url, NoTls).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    tokio::spawn(async move {
        // Its end is the client's to notice: a test may well have stopped the server.
        let _ = connection.await;
    });
    client
}
