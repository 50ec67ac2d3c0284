//! `schema.sql` and `functions/*.sql` say what the database holds after all migrations.
//!
//! The files are loaded into an empty database, and the catalogs of the two are compared: so the server's version does not matter.
//! Comments and whitespace in functions do not matter either: applied migrations never change, prose may.

use boxoffice_migrations::apply;
use boxoffice_shared::platform::config::Database as Target;
use boxoffice_testkit::postgres::{Database, Options, Server};
use tokio::sync::OnceCell;
use tokio_postgres::Client;

mod files;
mod snapshot;
mod tokens;

use snapshot::{Snapshot, report};

/// Two databases of one server: what the files make, and one with all migrations.
struct Scene {
    files: Snapshot,
    migrated: Database,
    _server: Server,
}

/// A server of its own, because roles belong to the server: those that the files make are not there before, and are gone before the
/// migrations make theirs. All tests here share it.
async fn scene() -> &'static Scene {
    static SCENE: OnceCell<Scene> = OnceCell::const_new();
    SCENE
        .get_or_init(async || {
            let server = Server::start(&Options::fast());
            let files = load_files(&server.create_empty_database().await).await;
            let migrated = server.create_empty_database().await;
            apply(&Target::from_url(&migrated.owner_url(), None).unwrap()).await.unwrap();
            Scene { files, migrated, _server: server }
        })
        .await
}

/// What the files make; nothing of it stays.
async fn load_files(database: &Database) -> Snapshot {
    let client = database.client().await;
    client.batch_execute("BEGIN").await.unwrap();
    for part in files::schema() {
        let loaded = client.batch_execute(&part.sql).await;
        loaded.unwrap_or_else(|error| panic!("migrations/{} cannot be loaded: {error:?}", part.path));
    }
    let snapshot = Snapshot::of(&client).await;
    client.batch_execute("ROLLBACK").await.unwrap();
    snapshot
}

/// What the migrated database holds after a change, of which nothing stays.
async fn after(client: &Client, change: &str) -> Snapshot {
    client.batch_execute("BEGIN").await.unwrap();
    client.batch_execute(change).await.unwrap_or_else(|error| panic!("{change}: {error:?}"));
    let snapshot = Snapshot::of(client).await;
    client.batch_execute("ROLLBACK").await.unwrap();
    snapshot
}

#[tokio::test]
async fn schema_and_functions_are_what_the_migrations_make() {
    let scene = scene().await;
    let migrated = Snapshot::of(&scene.migrated.client().await).await;
    let differences = scene.files.differences(&migrated);
    assert!(differences.is_empty(), "{}", report(&differences));
    // Each kind that there is was looked at.
    for kind in [
        "table ",
        "index ",
        "sequence ",
        "column ",
        "constraint ",
        "trigger ",
        "function ",
        "body of function ",
        "role ",
        "setting ",
        "privileges on relation ",
        "privileges on column ",
        "privileges on function ",
        "privileges on database",
        "privileges on schema ",
        "privileges on new objects of kind f",
        "default acl ",
    ] {
        assert!(migrated.names().any(|name| name.starts_with(kind)), "no {kind}");
    }
}

/// Each change, and the fact that must be named.
const CHANGES: [(&str, &str); 37] = [
    ("DROP INDEX bookings_due", "index bookings_due"),
    ("CREATE INDEX extra ON shows (name)", "index extra"),
    (
        "DROP INDEX bookings_due; CREATE INDEX bookings_due ON bookings (expires_at, id) WHERE status = 'PENDING'",
        "index bookings_due",
    ),
    ("CREATE TABLE extra (id bigint)", "table extra"),
    ("ALTER TABLE bookings SET (autovacuum_vacuum_threshold = 9999)", "table bookings"),
    ("ALTER TABLE seat_pools RESET (fillfactor)", "table seat_pools"),
    ("ALTER TABLE bookings ENABLE ROW LEVEL SECURITY", "table bookings"),
    ("ALTER TABLE shows ADD COLUMN extra text", "column shows.extra"),
    ("ALTER TABLE bookings DROP COLUMN failure_reason CASCADE", "column bookings.failure_reason"),
    ("ALTER TABLE shows ALTER COLUMN name DROP NOT NULL", "column shows.name"),
    ("ALTER TABLE payments ALTER COLUMN disputed DROP DEFAULT", "column payments.disputed"),
    ("ALTER TABLE payment_events ALTER COLUMN about_id TYPE varchar(255)", "column payment_events.about_id"),
    ("ALTER TABLE bookings DROP CONSTRAINT bookings_seats_positive", "constraint bookings.bookings_seats_positive"),
    (
        "ALTER TABLE bookings DROP CONSTRAINT bookings_status, ADD CONSTRAINT bookings_status CHECK (status <> '')",
        "constraint bookings.bookings_status",
    ),
    (
        "ALTER TABLE shows DROP CONSTRAINT shows_currency,
            ADD CONSTRAINT shows_currency CHECK (currency ~ '^[A-Z]{3}$') NOT VALID",
        "constraint shows.shows_currency",
    ),
    ("DROP TRIGGER bookings_counted ON bookings", "trigger bookings.bookings_counted"),
    ("ALTER TABLE bookings DISABLE TRIGGER bookings_counted", "trigger bookings.bookings_counted"),
    ("ALTER SEQUENCE shows_id_seq CACHE 10", "values of sequence shows_id_seq"),
    ("CREATE TYPE extra AS ENUM ('a')", "type public.extra"),
    ("CREATE VIEW extra AS SELECT 1 AS one", "view extra"),
    ("CREATE POLICY extra ON shows USING (true)", "policy shows.extra"),
    ("CREATE RULE extra AS ON DELETE TO shows DO INSTEAD NOTHING", "rule shows.extra"),
    ("CREATE SCHEMA extra", "schema extra"),
    ("DROP FUNCTION wait_at_most", "function wait_at_most(ms integer)"),
    ("CREATE FUNCTION extra() RETURNS void LANGUAGE sql AS ''", "function extra()"),
    ("ALTER FUNCTION wait_at_most SECURITY DEFINER", "function wait_at_most(ms integer)"),
    ("ALTER FUNCTION wait_at_most COST 1", "function wait_at_most(ms integer)"),
    ("ALTER FUNCTION wait_at_most SET search_path = public", "function wait_at_most(ms integer)"),
    (
        "REVOKE EXECUTE ON FUNCTION wait_at_most FROM boxoffice_app",
        "privileges on function wait_at_most(ms integer) of boxoffice_app",
    ),
    ("GRANT EXECUTE ON FUNCTION wait_at_most TO PUBLIC", "privileges on function wait_at_most(ms integer) of PUBLIC"),
    ("REVOKE INSERT ON payments FROM boxoffice_app", "privileges on relation payments of boxoffice_app"),
    (
        "GRANT SELECT (user_name) ON bookings TO boxoffice_read",
        "privileges on column bookings.user_name of boxoffice_read",
    ),
    (
        "DO $$ BEGIN EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM boxoffice_read', current_database()); END $$",
        "privileges on database of boxoffice_read",
    ),
    ("GRANT USAGE ON SCHEMA public TO PUBLIC", "privileges on schema public of PUBLIC"),
    (
        "ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE EXECUTE ON FUNCTIONS FROM boxoffice_app",
        "privileges on new objects of kind f in schema public of boxoffice_app",
    ),
    ("ALTER ROLE boxoffice_app SET lock_timeout = '3s'", "setting lock_timeout of role boxoffice_app"),
    ("ALTER ROLE boxoffice_read NOLOGIN", "role boxoffice_read"),
];

#[tokio::test]
async fn each_change_of_the_database_is_named() {
    let client = scene().await.migrated.client().await;
    let before = Snapshot::of(&client).await;
    for (change, fact) in CHANGES {
        let changed = after(&client, change).await;
        let names: Vec<&str> = before.differences(&changed).iter().map(|difference| difference.name).collect();
        assert!(names.contains(&fact), "{change}: {names:?}");
    }
}

#[tokio::test]
async fn a_changed_function_is_shown_where_it_differs_and_whole() {
    let client = scene().await.migrated.client().await;
    let before = Snapshot::of(&client).await;
    let file = &files::functions()["most_seats"];
    let commented = file.replace("    SELECT CASE", "    -- Another word;\n    /* and more */ SELECT\n    CASE");
    assert_ne!(&commented, file);
    let changed = after(&client, &commented).await;
    assert!(before.differences(&changed).is_empty(), "a comment is no difference");

    let other = file.replace("(total_seats + 1) / 2", "(total_seats + 1) / 3");
    let changed = after(&client, &other).await;
    let differences = before.differences(&changed);
    assert_eq!(differences.len(), 1, "{}", report(&differences));
    let shown = report(&differences);
    let name =
        "body of function most_seats(total_seats integer, of_show integer, of_deployment integer, times integer)";
    for wanted in [
        name,
        "files:    line 4 of the body: ELSE least(of_deployment * times, (total_seats + 1) / 2)",
        "database: line 4 of the body: ELSE least(of_deployment * times, (total_seats + 1) / 3)",
        "CREATE OR REPLACE FUNCTION public.most_seats(",
    ] {
        assert!(shown.contains(wanted), "{wanted}\n{shown}");
    }
}

/// What a file of a new function should have.
#[tokio::test]
async fn a_function_without_a_file_is_shown_whole() {
    let scene = scene().await;
    let changed = after(
        &scene.migrated.client().await,
        "CREATE FUNCTION extra(a int DEFAULT 1) RETURNS int LANGUAGE sql STRICT AS 'SELECT a'",
    )
    .await;
    let shown = report(&scene.files.differences(&changed));
    let wanted =
        "CREATE OR REPLACE FUNCTION public.extra(a integer DEFAULT 1)\n RETURNS integer\n LANGUAGE sql\n STRICT\nAS ";
    assert!(shown.contains(wanted), "{shown}");
}

/// A file that is not loaded could say anything.
#[test]
fn each_function_file_is_loaded_once() {
    let parts = files::schema();
    for name in files::functions().keys() {
        let path = format!("functions/{name}.sql");
        let times = parts.iter().filter(|part| part.path == path).count();
        assert_eq!(times, 1, "{path} must be in one \\ir line of schema.sql or schema/*.sql");
    }
}

/// So a new migration can be a copy of the file.
#[test]
fn each_function_file_has_a_contract_and_one_statement() {
    for (name, sql) in files::functions() {
        for part in ["-- Parameters: ", "-- Locks", "-- Outcomes: ", "-- Called by: "] {
            let has_it = sql.lines().take_while(|line| line.starts_with("--")).any(|line| line.starts_with(part));
            assert!(has_it, "functions/{name}.sql: its contract lacks {part:?}");
        }
        let words = words(&sql);
        assert_eq!(words[..5], ["CREATE", "OR", "REPLACE", "FUNCTION", own_name(&name)], "functions/{name}.sql");
        let statements = words.iter().filter(|word| **word == ";").count();
        assert!(statements == 1 && words.ends_with(&[";"]), "functions/{name}.sql must have one statement");
    }
}

/// `Called by` lists every function that calls it. Statements are described in words, because their files move.
#[test]
fn each_contract_names_the_functions_that_call_it() {
    let functions = files::functions();
    let callers_of = |path: &str| {
        let (contract, _) = functions[path].split_once("\nCREATE ").unwrap();
        let (_, callers) = contract.split_once("-- Called by: ").unwrap();
        callers.split([' ', ',', ';', '.', '\n']).map(ToOwned::to_owned).collect::<Vec<String>>()
    };
    for (caller, sql) in &functions {
        let (_, body) = sql.split_once("$$").unwrap();
        for call in words(body).windows(2).filter(|pair| pair[1] == "(") {
            // A name may have two functions: superseded ones call the superseded one.
            let superseded = format!("superseded/{}", call[0]);
            let is_older = caller.starts_with("superseded/") && functions.contains_key(&superseded);
            let called = if is_older { superseded } else { call[0].to_owned() };
            if functions.contains_key(&called) {
                assert!(callers_of(&called).contains(caller), "functions/{called}.sql: `Called by` lacks {caller}");
            }
        }
    }
}

fn words(sql: &str) -> Vec<&str> {
    tokens::tokens(sql).iter().map(|token| token.text).collect()
}

/// The name of a file's function: its path without the folder.
fn own_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}
