//! The domain's connections over TLS: to the server that was meant, and to no other.

use std::num::NonZeroU16;
use std::path::Path;
use std::sync::OnceLock;

use boxoffice_shared::error::Cause;
use boxoffice_shared::platform::config::Database as Target;
use boxoffice_shared::platform::{
    db::{self, Db},
    tls,
};
use boxoffice_testkit::postgres::{Database, Options, Server};

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    let both = "127.0.0.1, 127.0.0.2";
    SERVER.get_or_init(|| Server::start(&Options::fast().tls().password().setting("listen_addresses", both)))
}

/// What a Lambda does at start with `DATABASE_URL` and `DATABASE_CA_FILE`.
async fn warm(url: &str, ca_file: Option<&Path>) -> Result<(), Cause> {
    let target = Target::from_url(url, ca_file.map(Path::to_owned)).expect("a URL of our own");
    let db = Db::new(&target, tls::connector(ca_file).unwrap(), NonZeroU16::MIN)?;
    db.warm().await
}

async fn database() -> Database {
    server().create_database().await
}

#[tokio::test]
async fn the_servers_own_authority_is_trusted_and_the_session_is_encrypted() {
    let database = database().await;
    let url = database.url_at(database.port(), "require");
    warm(&url, Some(&server().ca_file())).await.unwrap();

    // An authority's file asks for TLS, whatever the URL says.
    let target = Target::from_url(&database.url(), Some(server().ca_file())).unwrap();
    let client = db::connect(&target).await.unwrap();
    let encrypted: bool =
        client.query_one("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", &[]).await.unwrap().get(0);
    assert!(encrypted);
}

#[tokio::test]
async fn another_authority_is_refused() {
    let database = database().await;
    let url = database.url_at(database.port(), "require");
    let other = Server::start(&Options::fast().tls());
    let error = warm(&url, Some(&other.ca_file())).await.expect_err("it signed nothing of this server's");
    assert!(said(&error).contains("certificate verify failed"), "{}", said(&error));
    let error = warm(&url, None).await.expect_err("the system's trust store does not know it");
    assert!(said(&error).contains("certificate verify failed"), "{}", said(&error));
}

#[tokio::test]
async fn another_name_than_the_certificates_is_refused() {
    let database = database().await;
    // The same server, by an address for which the certificate was not made.
    let url = database.url_at(database.port(), "require").replace("@127.0.0.1:", "@127.0.0.2:");
    let error = warm(&url, Some(&server().ca_file())).await.expect_err("the name is checked");
    assert!(said(&error).contains("IP address mismatch"), "{}", said(&error));
}

/// The error with its causes.
fn said(error: &Cause) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
