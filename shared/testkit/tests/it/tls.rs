//! The domain's TLS connections: the intended server is accepted, any other is refused.

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

/// Connects as a Lambda does at its start, with `DATABASE_URL` and `DATABASE_CA_FILE`.
async fn warm(url: &str, ca_file: Option<&Path>) -> Result<(), Cause> {
    let target = Target::from_url(url, ca_file.map(Path::to_owned)).expect("the test's URL should be valid");
    let db = Db::new(&target, tls::connector(ca_file).unwrap(), NonZeroU16::MIN)?;
    db.warm().await
}

async fn database() -> Database {
    server().create_database().await
}

#[tokio::test]
async fn connection_with_the_servers_ca_is_encrypted() {
    let database = database().await;
    let url = database.url_at(database.port(), "require");
    warm(&url, Some(&server().ca_file())).await.unwrap();

    // A CA file requires TLS, whatever the URL says.
    let target = Target::from_url(&database.url(), Some(server().ca_file())).unwrap();
    let client = db::connect(&target).await.unwrap();
    let encrypted: bool =
        client.query_one("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", &[]).await.unwrap().get(0);
    assert!(encrypted);
}

#[tokio::test]
async fn another_ca_is_refused() {
    let database = database().await;
    let url = database.url_at(database.port(), "require");
    let other = Server::start(&Options::fast().tls());
    let error = warm(&url, Some(&other.ca_file())).await.expect_err("another CA should not be trusted");
    assert!(said(&error).contains("certificate verify failed"), "{}", said(&error));
    let error = warm(&url, None).await.expect_err("the system's trust store should not contain the CA");
    assert!(said(&error).contains("certificate verify failed"), "{}", said(&error));
}

#[tokio::test]
async fn mismatched_server_name_is_refused() {
    let database = database().await;
    // The same server, at an address that its certificate does not include.
    let url = database.url_at(database.port(), "require").replace("@127.0.0.1:", "@127.0.0.2:");
    let error = warm(&url, Some(&server().ca_file())).await.expect_err("the server's name should be checked");
    assert!(said(&error).contains("IP address mismatch"), "{}", said(&error));
}

/// Returns the error's text with all its causes.
fn said(error: &Cause) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
