//! Database logins: passwords that rotate while a Lambda serves, IAM tokens, replicas and TLS. Requests succeed or get
//! 503.

use crate::common::{TIMEOUT, call, ready, show, until};
use boxoffice_testkit::{
    events::api_event,
    lambda::{Builder, Instance},
    postgres::{Database, Options, Server},
    secrets::SecretStore,
    token_server::TokenServer,
};
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_postgres::Client;

const LIST_SHOWS: &str = env!("CARGO_BIN_EXE_list-shows");
const NEW: &str = "n3w";

/// A database that requires TLS and a password, and the secret with that password.
struct Stage {
    server: Server,
    database: Database,
    admin: Client,
    store: SecretStore,
}

impl Stage {
    async fn new() -> Self {
        let server = Server::start(&Options::fast().tls().password());
        let database = server.create_database().await;
        show(&database).await;
        let admin = database.admin_client().await;
        let store = SecretStore::start(None).await;
        let stage = Self { server, database, admin, store };
        stage.store_password("boxoffice_app");
        stage
    }

    fn store_password(&self, password: &str) {
        let secret = json!({"username": "boxoffice_app", "password": password, "host": "localhost",
            "port": self.server.port(), "dbname": self.database.name(), "engine": "postgres"});
        self.store.set(Some(&secret.to_string()));
    }

    async fn set_password(&self, password: &str) {
        self.admin.batch_execute(&format!("ALTER ROLE boxoffice_app PASSWORD '{password}'")).await.unwrap();
    }

    /// Closes the functions' connections and waits until they are gone.
    async fn end_connections(&self) {
        let end =
            "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity WHERE usename = 'boxoffice_app'";
        self.admin.query_one(end, &[]).await.unwrap();
    }

    fn builder(&self) -> Builder {
        Instance::builder(LIST_SHOWS)
            .env("DATABASE_SECRET_ARN", self.store.arn())
            .env("DATABASE_CA_FILE", self.server.ca_file().to_str().unwrap())
            .env("AWS_ENDPOINT_URL", self.store.endpoint())
            .timeout(TIMEOUT)
    }
}

fn list() -> Value {
    api_event("GET", "/shows", &[], &[], &[], None)
}

async fn status(instance: &Instance) -> u64 {
    call(instance, &list()).await.status
}

/// Calls the API and returns the status. Any answer other than 200 must have `Retry-After: 2`.
async fn status_or_retry(instance: &Instance) -> u64 {
    let answer = call(instance, &list()).await;
    assert!(answer.status == 200 || answer.header("retry-after") == Some("2"), "{}: {}", answer.status, answer.body);
    answer.status
}

#[tokio::test]
async fn rotated_password_is_picked_up_without_a_restart() {
    let stage = Stage::new().await;
    let instance = ready(stage.builder().env("AWS_LAMBDA_MAX_CONCURRENCY", "4")).await;
    assert_eq!((status(&instance).await, stage.store.reads()), (200, 1));

    // Open connections keep working after the password changes.
    stage.set_password(NEW).await;
    stage.store_password(NEW);
    for _ in 0..5 {
        assert_eq!(status(&instance).await, 200);
    }
    assert_eq!(stage.store.reads(), 1, "no login failed");

    // New connections fail with the old password, four at once. One read of the secret serves all of them and later
    // requests.
    stage.end_connections().await;
    let at_once = tokio::join!(status(&instance), status(&instance), status(&instance), status(&instance));
    assert_eq!(at_once, (200, 200, 200, 200), "{}", instance.stdout());
    for _ in 0..20 {
        assert_eq!(status(&instance).await, 200);
    }
    assert_eq!(stage.store.reads(), 2);
}

/// A rotation changes the database's password first and the secret later.
#[tokio::test]
async fn requests_during_a_rotation_are_503_and_secret_reads_are_limited() {
    let stage = Stage::new().await;
    let instance = ready(stage.builder()).await;
    assert_eq!(status(&instance).await, 200);
    stage.set_password(NEW).await;
    stage.end_connections().await;
    let (begun, before) = (Instant::now(), stage.store.reads());
    for _ in 0..10 {
        assert_eq!(status_or_retry(&instance).await, 503);
    }
    let most = 1 + begun.elapsed().as_secs() / 2;
    let reads = stage.store.reads() - before;
    assert!(
        (1..=most).contains(&reads),
        "{reads} reads of the secret by 10 requests of 4 attempts each; expected at most {most}"
    );
    stage.store_password(NEW);
    until("the new password is picked up", async || status_or_retry(&instance).await == 200).await;
}

#[tokio::test]
async fn secrets_manager_outage_is_503_only_if_the_password_has_changed() {
    let stage = Stage::new().await;
    let instance = ready(stage.builder()).await;
    stage.store.set(None);
    for _ in 0..3 {
        stage.end_connections().await;
        assert_eq!(status(&instance).await, 200);
    }
    assert_eq!(stage.store.reads(), 1, "a working password is not read again");
    stage.set_password(NEW).await;
    stage.end_connections().await;
    assert_eq!(status_or_retry(&instance).await, 503);
    // An unreadable secret counts as none.
    stage.store.set(Some(r#"{"password": "s3cret"}"#));
    let reads = stage.store.reads();
    until("the secret is read again", async || status_or_retry(&instance).await == 503 && stage.store.reads() > reads)
        .await;
    assert!(!instance.stdout().contains("s3cret"));
    stage.store_password(NEW);
    until("the database is reached again", async || status_or_retry(&instance).await == 200).await;
}

/// An instance that started in the middle of a rotation reads the secret again on its first request.
#[tokio::test]
async fn instance_started_with_the_old_password_picks_up_the_new_one() {
    let stage = Stage::new().await;
    stage.set_password(NEW).await;
    let instance = ready(stage.builder()).await;
    assert_eq!(status_or_retry(&instance).await, 503);
    stage.store_password(NEW);
    until("the new password is picked up", async || status_or_retry(&instance).await == 200).await;
}

/// The writer is unreachable, and the replica accepts no writes.
#[tokio::test]
async fn read_only_routes_are_served_by_the_replica() {
    let database = Database::create().await;
    show(&database).await;
    let admin = database.admin_client().await;
    let read_only = format!("ALTER DATABASE {} SET default_transaction_read_only = on", database.name());
    admin.batch_execute(&read_only).await.unwrap();
    let builder = Instance::builder(LIST_SHOWS)
        .env("DATABASE_URL", database.url_at(9, "disable"))
        .env("DATABASE_READ_HOST", format!("127.0.0.1:{}", database.port()))
        .timeout(TIMEOUT);
    let instance = ready(builder).await;
    assert_eq!(call(&instance, &list()).await.body["shows"].as_array().unwrap().len(), 1);
    let get = api_event("GET", "/shows/{show_id}", &[("show_id", "1")], &[], &[], None);
    assert_eq!(call(&instance, &get).await.body["available_seats"], 100);
}

/// Connections to a host other than loopback use TLS unless the URL disables it.
#[tokio::test]
async fn remote_database_requires_tls() {
    let database = Database::create().await;
    show(&database).await;
    // 0.0.0.0 reaches this machine but is not a loopback address.
    let url = database.url().replace("@127.0.0.1:", "@0.0.0.0:");
    for (url, expected) in [(url.clone(), 200), (url.replace("?sslmode=disable", ""), 503)] {
        let instance = ready(Instance::builder(LIST_SHOWS).env("DATABASE_URL", url).timeout(TIMEOUT)).await;
        assert_eq!(status(&instance).await, expected, "{}", instance.stdout());
    }
}

#[tokio::test]
async fn iam_login_sends_a_signed_token_over_tls() {
    let server = TokenServer::start();
    let url = format!("postgres://boxoffice_app@localhost:{}/boxoffice", server.port());
    let builder = Instance::builder(LIST_SHOWS)
        .env("DATABASE_URL", url)
        .env("DATABASE_AUTH", "iam")
        .env("DATABASE_CA_FILE", server.ca_file().to_str().unwrap())
        .env("AWS_REGION", "eu-west-1")
        .env("AWS_SESSION_TOKEN", "session/token")
        .timeout(TIMEOUT);
    let instance = ready(builder).await;
    assert_eq!(status_or_retry(&instance).await, 503, "the server accepts no token");
    let logins = server.logins();
    assert!(logins.len() >= 2, "{}", instance.stdout());
    for (user, token) in &logins {
        assert_eq!(user, "boxoffice_app");
        let (address, query) = token.split_once("/?").unwrap();
        assert_eq!(address, format!("localhost:{}", server.port()));
        let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).unwrap();
        assert_eq!((value("Action"), value("DBUser"), value("X-Amz-Expires")), ("connect", "boxoffice_app", "900"));
        assert_eq!(value("X-Amz-Security-Token"), "session%2Ftoken");
        assert!(value("X-Amz-Credential").ends_with("%2Feu-west-1%2Frds-db%2Faws4_request"), "{token}");
        assert_eq!(value("X-Amz-Signature").len(), 64);
        assert!(!instance.stdout().contains(value("X-Amz-Signature")), "a token is a password and must not be logged");
        let made: jiff::Timestamp =
            jiff::fmt::strtime::parse("%Y%m%dT%H%M%S%z", value("X-Amz-Date").replace('Z', "+0000"))
                .and_then(|made| made.to_timestamp())
                .unwrap();
        assert!((jiff::Timestamp::now() - made).total(jiff::Unit::Second).unwrap().abs() < 60.0, "{made}");
    }
}
