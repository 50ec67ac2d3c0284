//! The private server: databases side by side, stops, restarts, and an end with its process.

use crate::common;
use std::time::Duration;

use boxoffice_testkit::postgres::{Database, Options, Server, Stop};

/// Longer than any clean-up here takes.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn databases_are_cloned_at_once_from_many_runtimes() {
    let threads: Vec<_> = (0..8).map(|n| std::thread::spawn(move || one_test(n))).collect();
    let mut names: Vec<String> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 8, "each has a database of its own");
}

/// A runtime of its own, as every `#[tokio::test]` has.
fn one_test(n: i32) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let database = Database::create().await;
        let client = database.client().await;
        let shows: i64 = client.query_one("SELECT count(*) FROM shows", &[]).await.unwrap().get(0);
        assert_eq!(shows, 0, "migrated and empty");
        client.batch_execute(&format!("CREATE TABLE mine AS SELECT {n} AS n")).await.unwrap();
        let mine: i32 = client.query_one("SELECT n FROM mine", &[]).await.unwrap().get(0);
        assert_eq!(mine, n);
        database.name().to_owned()
    })
}

#[tokio::test]
async fn the_owner_is_no_superuser_and_keeps_the_role_settings_in_every_clone() {
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
    assert!(settings > 0, "the migration's role settings count here");
}

#[tokio::test]
async fn a_restart_keeps_what_was_committed_and_drops_connections() {
    let server = Server::start(&Options::durable().max_connections(320).setting("work_mem", "5MB"));
    let database = server.create_database().await;
    let before = database.client().await;
    before.batch_execute("CREATE TABLE kept AS SELECT 1 AS n").await.unwrap();
    for how in [Stop::Immediate, Stop::Fast] {
        server.restart(how).await;
        let row = database.client().await.query_one("SELECT n FROM kept", &[]).await.unwrap();
        assert_eq!(row.get::<_, i32>(0), 1);
    }
    assert!(before.simple_query("SELECT 1").await.is_err(), "a connection from before is gone");
    let admin = database.admin_client().await;
    for (name, value) in [("fsync", "on"), ("max_connections", "320"), ("work_mem", "5MB")] {
        let shown: String = admin.query_one("SELECT current_setting($1)", &[&name]).await.unwrap().get(0);
        assert_eq!(shown, value, "{name}");
    }
}

#[tokio::test]
async fn a_paused_backend_stands_still_until_the_guard_goes() {
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
async fn tls_and_a_password_when_asked_for() {
    let server = Server::start(&Options::fast().tls().password());
    let database = server.create_empty_database().await;
    database.client().await.simple_query("SELECT 1").await.unwrap();
    let wrong = database.owner_url().replace(":boxoffice@", ":wrong@");
    assert!(tokio_postgres::connect(&wrong, tokio_postgres::NoTls).await.is_err(), "the password counts");
    let admin = database.admin_client().await;
    let ssl: String = admin.query_one("SELECT current_setting('ssl')", &[]).await.unwrap().get(0);
    assert_eq!(ssl, "on");
    assert!(std::fs::read_to_string(server.ca_file()).unwrap().contains("BEGIN CERTIFICATE"));
}

#[test]
fn the_server_dies_with_its_process() {
    common::assert_dies_with_its_process("postgres");
}
