//! Migrations while others use the tables: short waits, indexes beside the writes, one record of each.

use std::time::Duration;

use boxoffice_migrations::{Migrations, Patience};
use boxoffice_shared::platform::config::Database as Target;
use boxoffice_testkit::postgres::{Database, Options, Server};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};
use tokio_postgres::Client;

const TABLE: (&str, &str) = ("V1__t", "CREATE TABLE t (a int)");
const COLUMN: (&str, &str) = ("V2__column", "ALTER TABLE t ADD b int");
const INDEX: (&str, &str) = ("V2__concurrently_t_by_a", "-- Why.\nCREATE UNIQUE INDEX CONCURRENTLY t_by_a ON t (a);\n");

/// Gives up soon and tries for long.
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

    /// What one column of one row has.
    async fn number(&self, sql: &str) -> i64 {
        self.database.client().await.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// A transaction that has looked at the table.
    async fn reader(&self) -> Client {
        let reader = self.database.admin_client().await;
        reader.batch_execute("BEGIN; SELECT FROM t").await.unwrap();
        reader
    }

    /// How often a lock was not had.
    fn given_up(&self) -> usize {
        self.server.log().matches("canceling statement due to lock timeout").count()
    }
}

async fn apply(database: &Database, files: &[(&str, &str)], patience: Patience) -> Result<Vec<String>, String> {
    let target = Target::from_url(&database.owner_url(), None).unwrap();
    Migrations::of(files).unwrap().apply(&target, &patience).await.map_err(|error| error.to_string())
}

/// Waits for what must come.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let patience = Instant::now() + Duration::from_secs(30);
    while !is_so().await {
        assert!(Instant::now() < patience, "{what}");
        sleep(Duration::from_millis(2)).await;
    }
}

const HISTORY: &str = "SELECT count(*) FROM refinery_schema_history WHERE version = 2";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_gives_up_its_lock_for_others_and_tries_again() {
    let scene = Scene::new().await;
    scene.apply(&[TABLE], PATIENCE).await.unwrap();
    let reader = scene.reader().await;
    let migration = scene.begin(&[TABLE, COLUMN], PATIENCE);
    let writer = scene.database.client().await;
    until("it tries again", async || {
        // Whoever queued behind it gets through, each time.
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
async fn a_migration_that_never_gets_its_lock_ends_and_says_who_is_in_the_way() {
    let scene = Scene::new().await;
    scene.apply(&[TABLE], PATIENCE).await.unwrap();
    let reader = scene.reader().await;
    let said = scene.apply(&[TABLE, COLUMN], Patience { tries: 3, ..PATIENCE }).await.unwrap_err();
    let pid: i32 = reader.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    assert!(said.starts_with("V2__column did not get a lock within 20ms, 3 times."), "{said}");
    assert!(said.contains(&format!("Sessions with locks now: {pid} of postgres.")), "{said}");
    assert_eq!((scene.given_up(), scene.number(HISTORY).await), (3, 0));
    reader.batch_execute("COMMIT").await.unwrap();
    assert_eq!(scene.apply(&[TABLE, COLUMN], PATIENCE).await.unwrap(), ["V2__column"]);
}

/// What the roles have is for the functions.
#[tokio::test]
async fn a_run_has_bounds_of_its_own_and_not_those_of_its_role() {
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
    // The functions wait for 2 s; the server looks for an autovacuum in the way after 1 s.
    assert_eq!(bound("deadlock_timeout").await, 1_000);
}

/// The second migration gave the owner what is meant for the functions.
#[tokio::test]
async fn the_owner_may_take_longer_than_the_functions() {
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
    // What an operator chose stays, whatever is migrated.
    let chosen =
        "ALTER ROLE boxoffice SET statement_timeout = '1min'; DELETE FROM refinery_schema_history WHERE version >= 8";
    scene.database.client().await.batch_execute(chosen).await.unwrap();
    Migrations::ours().up_to(8).apply(&target, &PATIENCE).await.unwrap();
    assert_eq!(shown().await, "1min");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_is_built_beside_writes_while_two_runs_take_turns() {
    let scene = Scene::new().await;
    scene.apply(&[TABLE], PATIENCE).await.unwrap();
    // It has a lock, so the index waits for its end.
    let old = scene.database.admin_client().await;
    old.batch_execute("BEGIN; INSERT INTO t VALUES (0)").await.unwrap();
    let runs = [(); 2].map(|()| scene.begin(&[TABLE, INDEX], PATIENCE));
    let writer = scene.database.client().await;
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%INDEX CONCURRENTLY%' AND wait_event = 'virtualxid'";
    until("it waits", async || writer.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) == 1).await;
    writer.batch_execute("SET lock_timeout = '1s'; INSERT INTO t VALUES (1)").await.unwrap();
    assert!(runs.iter().all(|run| !run.is_finished()));
    old.batch_execute("COMMIT").await.unwrap();
    let mut names = Vec::new();
    for run in runs {
        names.extend(run.await.unwrap().unwrap());
    }
    assert_eq!(names, ["V2__concurrently_t_by_a"], "by one of them");
    assert_eq!(scene.number(HISTORY).await, 1);
    assert_eq!(scene.given_up(), 0, "building an index has no bound on its locks");
}

#[tokio::test]
async fn an_index_that_a_failed_try_left_is_built_again() {
    let scene = Scene::new().await;
    scene.apply(&[TABLE], PATIENCE).await.unwrap();
    let client = scene.database.client().await;
    client.batch_execute("INSERT INTO t VALUES (1), (1)").await.unwrap();
    let said = scene.apply(&[TABLE, INDEX], PATIENCE).await.unwrap_err();
    assert!(said.contains("V2__concurrently_t_by_a") && said.contains("could not create unique index"), "{said}");
    let state =
        "SELECT count(*) FILTER (WHERE indisvalid) * 10 + count(*) FROM pg_index WHERE indrelid = 't'::regclass";
    assert_eq!((scene.number(state).await, scene.number(HISTORY).await), (1, 0), "one, and it is not valid");
    client.batch_execute("DELETE FROM t").await.unwrap();
    assert_eq!(scene.apply(&[TABLE, INDEX], PATIENCE).await.unwrap(), ["V2__concurrently_t_by_a"]);
    assert_eq!((scene.number(state).await, scene.number(HISTORY).await), (11, 1));
}

/// As if the process had ended between the two.
#[tokio::test]
async fn an_index_that_was_built_and_not_recorded_is_recorded() {
    let scene = Scene::new().await;
    scene.apply(&[TABLE], PATIENCE).await.unwrap();
    scene.database.client().await.batch_execute(INDEX.1).await.unwrap();
    let oid = scene.number("SELECT 't_by_a'::regclass::oid::bigint").await;
    assert_eq!(scene.apply(&[TABLE, INDEX], PATIENCE).await.unwrap(), ["V2__concurrently_t_by_a"]);
    assert_eq!(scene.number("SELECT 't_by_a'::regclass::oid::bigint").await, oid, "it is not built again");
    assert_eq!(scene.number(HISTORY).await, 1);
    let dropped = ("V3__concurrently_no_t_by_a", "DROP INDEX CONCURRENTLY t_by_a");
    scene.database.client().await.batch_execute(dropped.1).await.unwrap();
    assert_eq!(scene.apply(&[TABLE, INDEX, dropped], PATIENCE).await.unwrap(), ["V3__concurrently_no_t_by_a"]);
    assert_eq!(scene.apply(&[TABLE, INDEX, dropped], PATIENCE).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn an_applied_migration_that_was_changed_is_refused() {
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

/// A migration that waits for a second table holds the first one meanwhile, and sales with it.
#[tokio::test]
async fn each_migration_locks_one_table_at_most() {
    let scene = Scene::new().await;
    let target = Target::from_url(&scene.database.owner_url(), None).unwrap();
    let client = scene.database.client().await;
    // Those that a writer waits for; not those of an ALTER TABLE that only vacuum would.
    let locked = "SELECT DISTINCT relname::text
        FROM pg_locks JOIN pg_class ON pg_class.oid = relation
        WHERE pid = pg_backend_pid() AND relkind = 'r' AND relation = ANY ($1)
            AND mode IN ('AccessExclusiveLock', 'ExclusiveLock', 'ShareRowExclusiveLock', 'ShareLock')";
    let tables = "SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace";
    for (name, sql) in Migrations::ours().files() {
        // What comes before is applied everywhere, and some of it would not pass.
        let version: u32 = name.trim_start_matches('V').split_once("__").unwrap().0.parse().unwrap();
        if version > 7 && !name.contains("__concurrently_") {
            let there: Vec<u32> = client.query(tables, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
            client.batch_execute("BEGIN").await.unwrap();
            client.batch_execute(sql).await.unwrap();
            let rows = client.query(locked, &[&there]).await.unwrap();
            let names: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
            assert!(names.len() <= 1, "{name} locks {names:?}: while it waits for one, sales wait for the other");
            client.batch_execute("ROLLBACK").await.unwrap();
        }
        Migrations::ours().up_to(version).apply(&target, &PATIENCE).await.unwrap();
    }
}
