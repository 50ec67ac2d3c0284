//! The private Postgres server: separate databases, restarts, paused backends, TLS, and its end with the process.

use crate::common;
use std::time::Duration;

use boxoffice_testkit::postgres::{Database, Options, Server, Stop};

/// A deadline longer than any clean-up here takes.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn databases_are_cloned_concurrently_from_many_runtimes() {
    let threads: Vec<_> = (0..8).map(|n| std::thread::spawn(move || one_test(n))).collect();
    let mut names: Vec<String> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 8, "each thread should get its own database");
}

/// Runs with its own runtime, as every `#[tokio::test]` does.
fn one_test(n: i32) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let database = Database::create().await;
        let client = database.client().await;
        let shows: i64 = client.query_one("SELECT count(*) FROM shows", &[]).await.unwrap().get(0);
        assert_eq!(shows, 0, "the database should be migrated and empty");
        client.batch_execute(&format!("CREATE TABLE mine AS SELECT {n} AS n")).await.unwrap();
        let mine: i32 = client.query_one("SELECT n FROM mine", &[]).await.unwrap().get(0);
        assert_eq!(mine, n);
        database.name().to_owned()
    })
}

#[tokio::test]
async fn owner_is_not_a_superuser_and_keeps_its_role_settings() {
    let client = Database::create().await.client().await;
    let row = client
        .query_one(
            "SELECT current_user::text, rolsuper, current_setting('fsync') FROM pg_roles WHERE rolname = current_user",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(row.get::<_, &str>(0), "boxoffice");
    assert!(!row.get::<_, bool>(1));
    assert_eq!(row.get::<_, &str>(2), "off");
    let settings: i64 = client
        .query_one("SELECT coalesce(cardinality(rolconfig), 0)::bigint FROM pg_roles WHERE rolname = current_user", &[])
        .await
        .unwrap()
        .get(0);
    assert!(settings > 0, "the role settings of the migration should apply");
}

#[tokio::test]
async fn restart_keeps_committed_rows_and_drops_connections() {
    let server = Server::start(&Options::durable().max_connections(320).setting("work_mem", "5MB"));
    let database = server.create_database().await;
    let before = database.client().await;
    before.batch_execute("CREATE TABLE kept AS SELECT 1 AS n").await.unwrap();
    for how in [Stop::Immediate, Stop::Fast] {
        server.restart(how).await;
        let row = database.client().await.query_one("SELECT n FROM kept", &[]).await.unwrap();
        assert_eq!(row.get::<_, i32>(0), 1);
    }
    assert!(before.simple_query("SELECT 1").await.is_err(), "a restart should end open connections");
    let admin = database.admin_client().await;
    for (name, value) in [("fsync", "on"), ("max_connections", "320"), ("work_mem", "5MB")] {
        let shown: String = admin.query_one("SELECT current_setting($1)", &[&name]).await.unwrap().get(0);
        assert_eq!(shown, value, "{name}");
    }
}

#[tokio::test]
async fn paused_backend_waits_until_the_guard_is_dropped() {
    let database = Database::create().await;
    let client = database.client().await;
    let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    let paused = Server::shared().pause_backend(pid);
    let query = client.simple_query("SELECT 1");
    tokio::pin!(query);
    assert!(tokio::time::timeout(Duration::from_millis(300), &mut query).await.is_err(), "no answer while it stands");
    drop(paused);
    tokio::time::timeout(PATIENCE, query).await.expect("an answer once it goes on").unwrap();
}

#[tokio::test]
async fn server_can_use_tls_and_a_password() {
    let server = Server::start(&Options::fast().tls().password());
    let database = server.create_empty_database().await;
    database.client().await.simple_query("SELECT 1").await.unwrap();
    let wrong = database.owner_url().replace(":boxoffice@", ":wrong@");
    assert!(
        tokio_postgres::connect(&wrong, tokio_postgres::NoTls).await.is_err(),
        "a wrong password should be refused"
    );
    let admin = database.admin_client().await;
    let ssl: String = admin.query_one("SELECT current_setting('ssl')", &[]).await.unwrap().get(0);
    assert_eq!(ssl, "on");
    assert!(std::fs::read_to_string(server.ca_file()).unwrap().contains("BEGIN CERTIFICATE"));
}

#[test]
fn server_dies_with_its_process() {
    common::assert_dies_with_its_process("postgres");
}
