//! Migrations while others use the tables: short waits, indexes built concurrently with writes, one record of each migration.

use std::time::Duration;

use boxoffice_migrations::{Migrations, Patience};
use boxoffice_shared::platform::config::Database as Target;
use boxoffice_testkit::{
    postgres::{Database, Options, Server},
    wait::until,
};
use tokio::task::JoinHandle;
use tokio_postgres::Client;

const TABLE: (&str, &str) = ("V1__t", "CREATE TABLE t (a int)");
const COLUMN: (&str, &str) = ("V2__column", "ALTER TABLE t ADD b int");
const INDEX: (&str, &str) = ("V2__concurrently_t_by_a", "-- Why.\nCREATE UNIQUE INDEX CONCURRENTLY t_by_a ON t (a);\n");

/// A short lock timeout and many tries.
const PATIENCE: Patience = Patience {
    lock: Duration::from_millis(20),
    tries: 1_000,
    pause: Duration::from_millis(1),
    total: Duration::from_secs(60),
};

struct Scene {
    server: Server,
    database: Database,
}

impl Scene {
    async fn new() -> Self {
        let server = Server::start(&Options::fast());
        let database = server.create_empty_database().await;
        Self { server, database }
    }

    async fn apply(&self, files: &[(&str, &str)], patience: Patience) -> Result<Vec<String>, String> {
        apply(&self.database, files, patience).await
    }

    fn begin(&self, files: &'static [(&str, &str)], patience: Patience) -> JoinHandle<Result<Vec<String>, String>> {
        let database = self.database.clone();
        tokio::spawn(async move { apply(&database, files, patience).await })
    }

    /// The number that a query returns.
    async fn number(&self, sql: &str) -> i64 {
        self.database.client().await.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// An open transaction that has read the table.
    async fn reader(&self) -> Client {
        let reader = self.database.admin_client().await;
        reader.batch_execute("BEGIN; SELECT FROM t").await.unwrap();
        reader
    }

    /// How many times a lock timed out.
    fn given_up(&self) -> usize {
        self.server.log().matches("canceling statement due to lock timeout").count()
    }
}

async fn apply(database: &Database, files: &[(&str, &str)], patience: Patience) -> Result<Vec<String>, String> {
    let target = Target::from_url(&database.owner_url(), None).unwrap();
    Migrations::of(files).unwrap().apply(&target, &patience).await.map_err(|error| error.to_string())
}

const HISTORY: &str = "SELECT count(*) FROM refinery_schema_history WHERE version = 2";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migration_lets_queued_statements_pass_and_tries_again() {
    let scene = Scene::new().await;
    scene.apply(&[TABLE], PATIENCE).await.unwrap();
    let reader = scene.reader().await;
    let migration = scene.begin(&[TABLE, COLUMN], PATIENCE);
    let writer = scene.database.client().await;
    until("the migration should try again", async || {
        // A write that queues behind the migration succeeds each time.
        writer.batch_execute("INSERT INTO t VALUES (1)").await.unwrap();
        scene.given_up() >= 3
    })
    .await;
    assert!(!migration.is_finished());
    reader.batch_execute("COMMIT").await.unwrap();
    assert_eq!(migration.await.unwrap().unwrap(), ["V2__column"]);
    assert_eq!(scene.number(HISTORY).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migration_that_never_gets_its_lock_fails_and_names_the_blocking_session() {
    let scene = Scene::new().await;
    scene.apply(&[TABLE], PATIENCE).await.unwrap();
    let reader = scene.reader().await;
    let said = scene.apply(&[TABLE, COLUMN], Patience { tries: 3, ..PATIENCE }).await.unwrap_err();
    let pid: i32 = reader.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    assert!(said.starts_with("V2__column did not get a lock within 20ms, 3 times, and was rolled back."), "{said}");
    assert!(said.contains(&format!("Sessions that hold locks now: {pid} of postgres.")), "{said}");
    assert_eq!((scene.given_up(), scene.number(HISTORY).await), (3, 0));
    reader.batch_execute("COMMIT").await.unwrap();
    assert_eq!(scene.apply(&[TABLE, COLUMN], PATIENCE).await.unwrap(), ["V2__column"]);
}

/// The timeouts of the role are for the functions.
#[tokio::test]
async fn run_uses_its_own_timeouts_and_not_those_of_its_role() {
    let scene = Scene::new().await;
    let admin = scene.server.admin_client().await;
    admin
        .batch_execute(
            "ALTER ROLE boxoffice SET statement_timeout = '30s'; ALTER ROLE boxoffice SET lock_timeout = '30s'",
        )
        .await
        .unwrap();
    let kept = "CREATE TABLE kept AS SELECT setting::bigint, name FROM pg_settings WHERE name LIKE '%\\_timeout'";
    scene.apply(&[("V1__kept", kept)], Patience::default()).await.unwrap();
    let bound = async |name: &str| scene.number(&format!("SELECT setting FROM kept WHERE name = '{name}'")).await;
    assert_eq!(bound("lock_timeout").await, 1_500);
    assert_eq!(bound("statement_timeout").await, 3_600_000);
    // Between the 2 s that the functions wait, and the 1 s after which the server cancels an autovacuum that blocks it.
    assert_eq!(bound("deadlock_timeout").await, 1_000);
}

/// The second migration gave the owner a timeout that is meant for the functions.
#[tokio::test]
async fn owner_does_not_keep_the_statement_timeout_of_the_functions() {
    let scene = Scene::new().await;
    let target = Target::from_url(&scene.database.owner_url(), None).unwrap();
    let shown = async || {
        let row = scene.database.client().await.query_one("SHOW statement_timeout", &[]).await.unwrap();
        row.get::<_, String>(0)
    };
    Migrations::ours().up_to(7).apply(&target, &PATIENCE).await.unwrap();
    assert_eq!(shown().await, "4s");
    Migrations::ours().apply(&target, &PATIENCE).await.unwrap();
    assert_eq!(shown().await, "0");
    // A timeout that an operator chose stays.
    let chosen =
        "ALTER ROLE boxoffice SET statement_timeout = '1min'; DELETE FROM refinery_schema_history WHERE version >= 8";
    scene.database.client().await.batch_execute(chosen).await.unwrap();
    Migrations::ours().up_to(8).apply(&target, &PATIENCE).await.unwrap();
    assert_eq!(shown().await, "1min");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn index_is_built_concurrently_with_writes_while_two_runs_take_turns() {
    let scene = Scene::new().await;
    scene.apply(&[TABLE], PATIENCE).await.unwrap();
    // Building the index waits for the end of this transaction.
    let old = scene.database.admin_client().await;
    old.batch_execute("BEGIN; INSERT INTO t VALUES (0)").await.unwrap();
    let runs = [(); 2].map(|()| scene.begin(&[TABLE, INDEX], PATIENCE));
    let writer = scene.database.client().await;
    let waits =
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%INDEX CONCURRENTLY%' AND wait_event = 'virtualxid'";
    until("the index should wait", async || writer.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) == 1).await;
    writer.batch_execute("SET lock_timeout = '1s'; INSERT INTO t VALUES (1)").await.unwrap();
    assert!(runs.iter().all(|run| !run.is_finished()));
    old.batch_execute("COMMIT").await.unwrap();
    let mut names = Vec::new();
    for run in runs {
        names.extend(run.await.unwrap().unwrap());
    }
    assert_eq!(names, ["V2__concurrently_t_by_a"], "only one of the runs should apply it");
    assert_eq!(scene.number(HISTORY).await, 1);
    assert_eq!(scene.given_up(), 0, "building an index should have no lock timeout");
}

#[tokio::test]
async fn invalid_index_of_a_failed_try_is_built_again() {
    let scene = Scene::new().await;
    scene.apply(&[TABLE], PATIENCE).await.unwrap();
    let client = scene.database.client().await;
    client.batch_execute("INSERT INTO t VALUES (1), (1)").await.unwrap();
    let said = scene.apply(&[TABLE, INDEX], PATIENCE).await.unwrap_err();
    assert!(said.contains("V2__concurrently_t_by_a") && said.contains("could not create unique index"), "{said}");
    let state =
        "SELECT count(*) FILTER (WHERE indisvalid) * 10 + count(*) FROM pg_index WHERE indrelid = 't'::regclass";
    assert_eq!((scene.number(state).await, scene.number(HISTORY).await), (1, 0), "one index, which is invalid");
    client.batch_execute("DELETE FROM t").await.unwrap();
    assert_eq!(scene.apply(&[TABLE, INDEX], PATIENCE).await.unwrap(), ["V2__concurrently_t_by_a"]);
    assert_eq!((scene.number(state).await, scene.number(HISTORY).await), (11, 1));
}

/// As if the process had ended after it built the index and before it recorded the migration.
#[tokio::test]
async fn index_that_was_built_but_not_recorded_is_recorded() {
    let scene = Scene::new().await;
    scene.apply(&[TABLE], PATIENCE).await.unwrap();
    scene.database.client().await.batch_execute(INDEX.1).await.unwrap();
    let oid = scene.number("SELECT 't_by_a'::regclass::oid::bigint").await;
    assert_eq!(scene.apply(&[TABLE, INDEX], PATIENCE).await.unwrap(), ["V2__concurrently_t_by_a"]);
    assert_eq!(scene.number("SELECT 't_by_a'::regclass::oid::bigint").await, oid, "it should not be built again");
    assert_eq!(scene.number(HISTORY).await, 1);
    let dropped = ("V3__concurrently_no_t_by_a", "DROP INDEX CONCURRENTLY t_by_a");
    scene.database.client().await.batch_execute(dropped.1).await.unwrap();
    assert_eq!(scene.apply(&[TABLE, INDEX, dropped], PATIENCE).await.unwrap(), ["V3__concurrently_no_t_by_a"]);
    assert_eq!(scene.apply(&[TABLE, INDEX, dropped], PATIENCE).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn changed_applied_migration_is_refused() {
    let scene = Scene::new().await;
    scene.apply(&[TABLE, INDEX], PATIENCE).await.unwrap();
    let other = (INDEX.0, "CREATE INDEX CONCURRENTLY t_by_a ON t (a)");
    for files in [[("V1__t", "CREATE TABLE t (a bigint)"), INDEX], [TABLE, other]] {
        let said = scene.apply(&files, PATIENCE).await.unwrap_err();
        assert!(said.contains("is different than filesystem one"), "{said}");
    }
    let said = scene.apply(&[TABLE], PATIENCE).await.unwrap_err();
    assert!(said.contains("is missing from the filesystem"), "{said}");
}

/// While a migration waits for a second table, sales wait for the first one.
#[tokio::test]
async fn migration_locks_at_most_one_existing_table() {
    let scene = Scene::new().await;
    let target = Target::from_url(&scene.database.owner_url(), None).unwrap();
    let client = scene.database.client().await;
    // The lock modes that block a writer. Some forms of ALTER TABLE only block a vacuum.
    let locked = "SELECT DISTINCT relname::text
        FROM pg_locks JOIN pg_class ON pg_class.oid = relation
        WHERE pid = pg_backend_pid() AND relkind = 'r' AND relation = ANY ($1)
            AND mode IN ('AccessExclusiveLock', 'ExclusiveLock', 'ShareRowExclusiveLock', 'ShareLock')";
    let tables = "SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace";
    for (name, sql) in Migrations::ours().files() {
        // Earlier migrations are applied everywhere, and some of them lock two tables.
        let version: u32 = name.trim_start_matches('V').split_once("__").unwrap().0.parse().unwrap();
        if version > 7 && !name.contains("__concurrently_") {
            let there: Vec<u32> = client.query(tables, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
            client.batch_execute("BEGIN").await.unwrap();
            client.batch_execute(sql).await.unwrap();
            let rows = client.query(locked, &[&there]).await.unwrap();
            let names: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
            assert!(
                names.len() <= 1,
                "{name} locks {names:?}: while it waits for one of them, sales wait for the other"
            );
            client.batch_execute("ROLLBACK").await.unwrap();
        }
        Migrations::ours().up_to(version).apply(&target, &PATIENCE).await.unwrap();
    }
}
