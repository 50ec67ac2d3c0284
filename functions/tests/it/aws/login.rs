//! The database's login changes, moves or is a token while a Lambda serves: nobody notices, or is told to come back.

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

/// A database that asks for TLS and a password, and the secret with it.
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

    /// Ends the functions' connections and waits until they are gone.
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

/// The status; of a refusal, also that it says when to come back.
async fn told(instance: &Instance) -> u64 {
    let answer = call(instance, &list()).await;
    assert!(answer.status == 200 || answer.header("retry-after") == Some("2"), "{}: {}", answer.status, answer.body);
    answer.status
}

#[tokio::test]
async fn a_rotated_password_is_found_without_a_restart() {
    let stage = Stage::new().await;
    let instance = ready(stage.builder().env("AWS_LAMBDA_MAX_CONCURRENCY", "4")).await;
    assert_eq!((status(&instance).await, stage.store.reads()), (200, 1));

    // Connections that are open go on, whatever their password is now.
    stage.set_password(NEW).await;
    stage.store_password(NEW);
    for _ in 0..5 {
        assert_eq!(status(&instance).await, 200);
    }
    assert_eq!(stage.store.reads(), 1, "nobody was refused");

    // New ones are refused with the old password, all four at once: one reading serves them all, and every request after.
    stage.end_connections().await;
    let at_once = tokio::join!(status(&instance), status(&instance), status(&instance), status(&instance));
    assert_eq!(at_once, (200, 200, 200, 200), "{}", instance.stdout());
    for _ in 0..20 {
        assert_eq!(status(&instance).await, 200);
    }
    assert_eq!(stage.store.reads(), 2);
}

/// Rotation changes the database's password first and the secret some time later.
#[tokio::test]
async fn between_the_two_halves_of_a_rotation_it_is_503_and_few_readings() {
    let stage = Stage::new().await;
    let instance = ready(stage.builder()).await;
    assert_eq!(status(&instance).await, 200);
    stage.set_password(NEW).await;
    stage.end_connections().await;
    let (begun, before) = (Instant::now(), stage.store.reads());
    for _ in 0..10 {
        assert_eq!(told(&instance).await, 503);
    }
    let most = 1 + begun.elapsed().as_secs() / 2;
    let reads = stage.store.reads() - before;
    assert!((1..=most).contains(&reads), "{reads} readings, {most} at most, by 10 requests of 4 attempts each");
    stage.store_password(NEW);
    until("the new password is found", async || told(&instance).await == 200).await;
}

#[tokio::test]
async fn without_secrets_manager_a_good_password_goes_on_and_a_bad_one_is_503() {
    let stage = Stage::new().await;
    let instance = ready(stage.builder()).await;
    stage.store.set(None);
    for _ in 0..3 {
        stage.end_connections().await;
        assert_eq!(status(&instance).await, 200);
    }
    assert_eq!(stage.store.reads(), 1, "a password that is taken is not asked for again");
    stage.set_password(NEW).await;
    stage.end_connections().await;
    assert_eq!(told(&instance).await, 503);
    // A secret that cannot be understood is as good as none.
    stage.store.set(Some(r#"{"password": "s3cret"}"#));
    let reads = stage.store.reads();
    until("it is read again", async || told(&instance).await == 503 && stage.store.reads() > reads).await;
    assert!(!instance.stdout().contains("s3cret"));
    stage.store_password(NEW);
    until("it is there again", async || told(&instance).await == 200).await;
}

/// The secret of a start that comes in the middle of a rotation is read again by its first request.
#[tokio::test]
async fn an_instance_that_starts_with_the_old_password_finds_the_new_one() {
    let stage = Stage::new().await;
    stage.set_password(NEW).await;
    let instance = ready(stage.builder()).await;
    assert_eq!(told(&instance).await, 503);
    stage.store_password(NEW);
    until("the new password is found", async || told(&instance).await == 200).await;
}

/// The writer is not there at all, and the server that is takes no writes.
#[tokio::test]
async fn what_only_reads_is_served_by_a_replica() {
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

/// A host that is no loopback address is not spoken to in clear, unless the URL says that it may be.
#[tokio::test]
async fn a_database_on_a_network_is_not_spoken_to_in_clear() {
    let database = Database::create().await;
    show(&database).await;
    // It leads to this machine, and is not its loopback address.
    let url = database.url().replace("@127.0.0.1:", "@0.0.0.0:");
    for (url, expected) in [(url.clone(), 200), (url.replace("?sslmode=disable", ""), 503)] {
        let instance = ready(Instance::builder(LIST_SHOWS).env("DATABASE_URL", url).timeout(TIMEOUT)).await;
        assert_eq!(status(&instance).await, expected, "{}", instance.stdout());
    }
}

#[tokio::test]
async fn by_iam_each_connection_has_a_token_of_its_own_over_tls() {
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
    assert_eq!(told(&instance).await, 503, "that server takes no token");
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
        assert!(!instance.stdout().contains(value("X-Amz-Signature")), "a token is a password: it is in no log");
        let made: jiff::Timestamp =
            jiff::fmt::strtime::parse("%Y%m%dT%H%M%S%z", value("X-Amz-Date").replace('Z', "+0000"))
                .and_then(|made| made.to_timestamp())
                .unwrap();
        assert!((jiff::Timestamp::now() - made).total(jiff::Unit::Second).unwrap().abs() < 60.0, "{made}");
    }
}
