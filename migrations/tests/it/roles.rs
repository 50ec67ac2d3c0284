//! The roles have the rights that they need and no others. The first migration on a server creates them.

use boxoffice_migrations::apply;
use boxoffice_shared::platform::config::Database as Target;
use boxoffice_testkit::{
    postgres::{Database, Options, Server},
    wait::until,
};
use tokio_postgres::{Client, error::SqlState};

const APP: &str = "boxoffice_app";
const READ: &str = "boxoffice_read";

/// A show, a booking of it, and its payment with its event.
const STORY: &str = "
    INSERT INTO shows (name, start_time, total_seats, max_seats_per_booking, pools)
    VALUES ('A', now() + interval '1 day', 10, 4, 1);
    INSERT INTO seat_pools (show_id, pool_no, free) VALUES (1, 0, 8);
    INSERT INTO bookings (show_id, id, user_name, seats, status, created_at, expires_at, idempotency_key, amount_minor, currency)
    VALUES (1, '019a5b7e-8f00-7abc-8def-0123456789ab', 'Ada', 2, 'PENDING', now(), now() + interval '1 hour', 'k', 500, 'EUR');
    SELECT record_payment('stripe', 'evt_1', 'payment_intent.succeeded', 'pi_1', 1, '019a5b7e-8f00-7abc-8def-0123456789ab',
        now(), 'succeeded', 500, 'EUR', '{}')";

async fn story() -> Database {
    let database = Database::create().await;
    database.client().await.batch_execute(STORY).await.unwrap();
    database
}

/// Runs a statement and rolls it back. Returns the code of the server's error, if any.
async fn said(client: &Client, sql: &str) -> Option<SqlState> {
    client.batch_execute("BEGIN").await.unwrap();
    let answer = client.batch_execute(sql).await;
    client.batch_execute("ROLLBACK").await.unwrap();
    answer.err().map(|error| error.code().unwrap_or_else(|| panic!("{sql}: {error}")).clone())
}

async fn refused(client: &Client, statements: &[&str]) {
    for sql in statements {
        assert_eq!(said(client, sql).await, Some(SqlState::INSUFFICIENT_PRIVILEGE), "{sql}");
    }
}

async fn done(client: &Client, statements: &[&str]) {
    for sql in statements {
        assert_eq!(said(client, sql).await, None, "{sql}");
    }
}

async fn shown(client: &Client, setting: &str) -> String {
    client.query_one("SELECT current_setting($1)", &[&setting]).await.unwrap().get(0)
}

#[tokio::test]
async fn the_functions_role_cannot_destroy_change_or_look_elsewhere() {
    let database = story().await;
    let app = database.client_as(APP).await;
    for table in
        ["shows", "seat_pools", "bookings", "payments", "payment_events", "payment_refunds", "payment_disputes"]
    {
        let forbidden = [
            format!("DELETE FROM {table}"),
            format!("TRUNCATE {table} CASCADE"),
            format!("DROP TABLE {table} CASCADE"),
            format!("ALTER TABLE {table} ADD COLUMN mine int"),
            format!("CREATE INDEX ON {table} (currency)"),
            format!(
                "CREATE TRIGGER mine BEFORE INSERT ON {table} EXECUTE FUNCTION suppress_redundant_updates_trigger()"
            ),
            format!("GRANT SELECT ON {table} TO boxoffice_read"),
            format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"),
        ];
        for sql in &forbidden {
            // The server refuses to grant a right on another role's table, or only warns and does nothing.
            let code = said(&app, sql).await;
            let nothing_granted = sql.starts_with("GRANT") && code.is_none();
            assert!(code == Some(SqlState::INSUFFICIENT_PRIVILEGE) || nothing_granted, "{sql}: {code:?}");
        }
    }
    refused(
        &app,
        &[
            "CREATE TABLE mine ()",
            "CREATE TEMP TABLE mine ()",
            "CREATE SCHEMA mine",
            "CREATE ROLE mine",
            "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "CREATE OR REPLACE FUNCTION refund_booking(the_show bigint, the_booking uuid) RETURNS void LANGUAGE sql AS ''",
            "ALTER ROLE boxoffice_app CREATEROLE",
            "SET ROLE boxoffice",
            "SELECT FROM pg_authid",
            "SELECT pg_read_file('/etc/hostname')",
            "COPY shows TO PROGRAM 'true'",
            "SELECT * FROM refinery_schema_history",
            // Columns that say what a show is, what was paid for, and what a provider sent.
            "UPDATE shows SET total_seats = 11",
            "UPDATE bookings SET seats = 1",
            "UPDATE bookings SET amount_minor = 1",
            "UPDATE bookings SET created_at = now()",
            "UPDATE seat_pools SET pool_no = 1",
            "UPDATE payments SET provider = 'standard'",
            "UPDATE payment_events SET received_at = now()",
        ],
    )
    .await;
    assert_eq!(said(&app, "SELECT setval('shows_id_seq', 1)").await, Some(SqlState::INSUFFICIENT_PRIVILEGE));
}

/// One statement for each right. The tests of the operations run as this role too.
#[tokio::test]
async fn the_functions_role_can_do_what_the_functions_do() {
    let app = story().await.client_as(APP).await;
    done(
        &app,
        &[
            "INSERT INTO shows (name, start_time, total_seats, max_seats_per_booking, pools) VALUES ('B', now(), 1, 1, 1)",
            "UPDATE shows SET pools = 2 WHERE id = 1",
            "INSERT INTO seat_pools (show_id, pool_no, free) VALUES (1, 1, 0)",
            "UPDATE seat_pools SET free = free - 1",
            "SELECT * FROM bookings FOR UPDATE",
            "UPDATE bookings SET expires_at = expires_at + interval '1 minute'",
            "UPDATE bookings SET status = 'FAILED', failure_reason = 'expired', settled_at = now()",
            "SELECT refund_booking(1, '019a5b7e-8f00-7abc-8def-0123456789ab')",
            "SELECT record_payment('stripe', 'evt_2', 'charge.refunded', 'pi_1', NULL, NULL, now(), 'refunded', 500, 'EUR', '{}')",
            "SELECT * FROM record_payment_event('stripe', 'evt_3', 't', 'pi_1', NULL, NULL, now(), 'refund', 500, 'EUR', 're_1',
                 'failed', '{}', 20, 1, 100)",
            "SELECT * FROM record_payment_event('stripe', 'evt_4', 't', 'pi_1', NULL, NULL, now(), 'disputed', NULL, NULL, 'dp_1',
                 'lost', '{}', 20, 1, 100)",
            "SELECT * FROM decide_dispute('stripe', 'pi_1', 'cancel')",
            "SELECT * FROM settle_payment('stripe', 'pi_1')",
            "SELECT * FROM payments FOR UPDATE",
            "UPDATE payments SET state = 'refunded', updated_at = now()",
        ],
    )
    .await;
    // Timeouts limit honest sessions only: Postgres lets every role set its own.
    assert_eq!(shown(&app, "lock_timeout").await, "2s");
    assert_eq!(shown(&app, "statement_timeout").await, "4s");
    assert_eq!(shown(&app, "idle_in_transaction_session_timeout").await, "5s");
    done(&app, &["SET statement_timeout = 0"]).await;
}

/// Without any one of the rights, a statement of the functions fails.
#[tokio::test]
async fn no_right_of_the_functions_role_is_superfluous() {
    let database = story().await;
    let (owner, app) = (database.client().await, database.client_as(APP).await);
    let book = "INSERT INTO bookings (show_id, id, user_name, seats, status, created_at, expires_at)
        VALUES (1, gen_random_uuid(), 'B', 1, 'PENDING', now(), now() + interval '1 s')";
    let pay = "SELECT record_payment('stripe', 'evt_3', 't', 'pi_3', 1, '019a5b7e-8f00-7abc-8def-0123456789ab', now(),
        'succeeded', 500, 'EUR', '{}')";
    let refund =
        "SELECT record_payment_event('stripe', 'evt_4', 't', 'pi_1', NULL, NULL, now(), 'refund', 500, 'EUR', 're_1',
        'failed', '{}', 20, 1, 100)";
    let dispute =
        "SELECT record_payment_event('stripe', 'evt_5', 't', 'pi_1', NULL, NULL, now(), 'disputed', NULL, NULL, 'dp_1',
        'lost', '{}', 20, 1, 100)";
    let show =
        "INSERT INTO shows (name, start_time, total_seats, max_seats_per_booking, pools) VALUES ('B', now(), 1, 1, 1)";
    let rights = [
        ("USAGE ON SCHEMA public", "SELECT FROM public.shows"),
        ("SELECT ON shows", "SELECT FROM shows"),
        ("SELECT ON seat_pools", "SELECT FROM seat_pools"),
        ("SELECT ON bookings", "SELECT FROM bookings"),
        ("SELECT ON payments", pay),
        ("SELECT ON payment_events", "SELECT FROM payment_events"),
        ("INSERT ON shows", show),
        ("INSERT ON seat_pools", "INSERT INTO seat_pools VALUES (1, 1, 0)"),
        ("INSERT ON bookings", book),
        ("INSERT ON payments", pay),
        ("INSERT ON payment_events", pay),
        ("SELECT ON payment_refunds", refund),
        ("INSERT ON payment_refunds", refund),
        ("UPDATE (told_at) ON payment_refunds", refund),
        ("SELECT ON payment_disputes", dispute),
        ("INSERT ON payment_disputes", dispute),
        ("UPDATE (told_at) ON payment_disputes", dispute),
        ("UPDATE (decision) ON payment_disputes", dispute),
        ("UPDATE (pools) ON shows", "UPDATE shows SET pools = 1"),
        ("UPDATE (free) ON seat_pools", "UPDATE seat_pools SET free = 1"),
        ("UPDATE (status) ON bookings", "UPDATE bookings SET status = 'PENDING', settled_at = NULL"),
        ("UPDATE (expires_at) ON bookings", "UPDATE bookings SET expires_at = expires_at"),
        ("UPDATE (state) ON payments", "UPDATE payments SET state = state"),
        ("UPDATE (returned_minor) ON payments", pay),
        ("UPDATE (disputed) ON payments", pay),
        ("UPDATE (price_minor) ON payments", pay),
        (
            "UPDATE (outcome, about_id) ON payment_events",
            "UPDATE payment_events SET outcome = outcome, about_id = about_id",
        ),
        ("EXECUTE ON FUNCTION record_payment", pay),
        ("EXECUTE ON FUNCTION lock_payment", pay),
    ];
    for (right, sql) in rights {
        done(&app, &[sql]).await;
        owner.batch_execute(&format!("REVOKE {right} FROM {APP}")).await.unwrap();
        refused(&app, &[sql]).await;
        owner.batch_execute(&format!("GRANT {right} TO {APP}")).await.unwrap();
    }
}

#[tokio::test]
async fn the_reporting_role_reads_no_personal_column_and_writes_nothing() {
    let database = story().await;
    let read = database.client_as(READ).await;
    done(
        &read,
        &[
            "SELECT status, count(*), sum(seats) FROM bookings GROUP BY status",
            "SELECT id, name, start_time, total_seats FROM shows JOIN seat_pools ON show_id = id",
            "SELECT bookings.id, state FROM bookings JOIN payments ON booking_id = bookings.id",
            "SELECT type, change, outcome, reason, received_at FROM payment_events",
            "SELECT * FROM payments",
            "SELECT * FROM payment_refunds",
            "SELECT * FROM payment_disputes",
        ],
    )
    .await;
    let personal = database.client().await;
    let personal = personal
        .query(
            "SELECT relname::text, attname::text FROM pg_attribute JOIN pg_class ON attrelid = pg_class.oid
             WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND attnum > 0
                 AND attname IN ('user_name', 'holder', 'idempotency_key', 'payload')",
            &[],
        )
        .await
        .unwrap();
    assert!(personal.len() >= 3, "{personal:?}");
    for column in &personal {
        let (table, column): (&str, &str) = (column.get(0), column.get(1));
        refused(&read, &[&format!("SELECT {column} FROM {table}"), &format!("SELECT * FROM {table}")]).await;
        refused(&read, &[&format!("SELECT FROM {table} WHERE {column} = ''")]).await;
    }
    let writes = [
        "INSERT INTO seat_pools VALUES (1, 1, 0)",
        "UPDATE bookings SET status = 'FAILED'",
        "DELETE FROM bookings",
        "TRUNCATE payments",
        "CREATE TABLE mine ()",
        "CREATE TEMP TABLE mine ()",
        "SELECT record_payment('stripe', 'e', 't', 'p', NULL, NULL, now(), 'other', NULL, NULL, '')",
    ];
    // Its read-only setting refuses writes, and its rights do if the session turns that setting off.
    assert_eq!(said(&read, "SELECT FROM shows FOR UPDATE").await, Some(SqlState::READ_ONLY_SQL_TRANSACTION));
    assert_eq!(said(&read, "CREATE TABLE mine ()").await, Some(SqlState::READ_ONLY_SQL_TRANSACTION));
    read.batch_execute("SET default_transaction_read_only = off").await.unwrap();
    refused(&read, &writes).await;
    refused(&read, &["SELECT FROM shows FOR UPDATE", "SELECT FROM pg_authid", "SET ROLE boxoffice_app"]).await;
    assert_eq!(shown(&read, "statement_timeout").await, "1min");
}

#[tokio::test]
async fn other_roles_have_no_rights() {
    let database = story().await;
    let admin = database.admin_client().await;
    // Roles belong to the server: no other test may create this one.
    admin.batch_execute("CREATE ROLE passer_by LOGIN").await.unwrap();
    assert!(tokio_postgres::connect(&database.url_as("passer_by"), tokio_postgres::NoTls).await.is_err());
    admin.batch_execute(&format!("GRANT CONNECT ON DATABASE {} TO passer_by", database.name())).await.unwrap();
    let passer_by = database.client_as("passer_by").await;
    refused(&passer_by, &["SELECT FROM public.shows", "CREATE TEMP TABLE mine ()", "CREATE TABLE public.mine ()"])
        .await;
    admin.batch_execute("GRANT USAGE ON SCHEMA public TO passer_by").await.unwrap();
    refused(&passer_by, &["SELECT FROM shows", "SELECT take_seats(1, 1)"]).await;
    // Only boxoffice_app may call a function that a later migration creates.
    let later = "CREATE FUNCTION later() RETURNS int LANGUAGE sql AS 'SELECT 1'";
    database.client().await.batch_execute(later).await.unwrap();
    refused(&passer_by, &["SELECT later()"]).await;
    done(&database.client_as(APP).await, &["SELECT later()"]).await;
}

fn target(url: &str) -> Target {
    Target::from_url(url, None).unwrap()
}

/// On a server that has neither role yet, all by the same owner.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn databases_of_one_server_can_migrate_at_the_same_time() {
    let server = Server::start(&Options::fast());
    let mut databases = Vec::new();
    for _ in 0..4 {
        databases.push(server.create_empty_database().await);
    }
    let runs = databases.iter().map(|database| {
        let target = target(&database.owner_url());
        tokio::spawn(async move { apply(&target).await.map_err(|error| error.to_string()) })
    });
    for run in runs.collect::<Vec<_>>() {
        let names = run.await.unwrap().unwrap();
        assert!(names.iter().any(|name| name.contains("roles")), "{names:?}");
    }
    for database in &databases {
        assert_eq!(apply(&target(&database.owner_url())).await.unwrap(), Vec::<String>::new());
        done(&database.client_as(APP).await, &["SELECT FROM shows"]).await;
        refused(&database.client_as(READ).await, &["SELECT user_name FROM bookings"]).await;
    }
}

#[tokio::test]
async fn right_to_create_roles_is_needed_only_if_they_are_missing() {
    let server = Server::start(&Options::fast());
    let (first, second) = (server.create_empty_database().await, server.create_empty_database().await);
    let admin = server.admin_client().await;
    admin.batch_execute("ALTER ROLE boxoffice NOCREATEROLE").await.unwrap();
    let error = apply(&target(&first.owner_url())).await.unwrap_err().to_string();
    let wanted = "the role boxoffice_app is missing, and boxoffice may not create it: let an administrator run ALTER ROLE \
        boxoffice CREATEROLE";
    assert!(error.contains(wanted), "{error}");
    admin.batch_execute("ALTER ROLE boxoffice CREATEROLE").await.unwrap();
    apply(&target(&first.owner_url())).await.unwrap();
    // Where the roles exist with their settings, the owner of another database needs no such right.
    admin.batch_execute("ALTER ROLE boxoffice NOCREATEROLE").await.unwrap();
    apply(&target(&second.owner_url())).await.unwrap();
    done(&second.client_as(APP).await, &["SELECT FROM shows"]).await;
}

/// If two sessions change one role at once, Postgres lets the second wait, and then rejects it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migration_is_retried_after_a_concurrent_change_of_a_role() {
    let server = Server::start(&Options::fast());
    let (first, second) = (server.create_empty_database().await, server.create_empty_database().await);
    apply(&target(&first.owner_url())).await.unwrap();
    // As the migration of a third database would do.
    let other = server.admin_client().await;
    other.batch_execute("BEGIN; ALTER ROLE boxoffice SET work_mem = '5MB'").await.unwrap();
    let second_url = target(&second.owner_url());
    let meeting = tokio::spawn(async move { apply(&second_url).await.map_err(|error| error.to_string()) });
    let admin = server.admin_client().await;
    let waits = "SELECT FROM pg_stat_activity WHERE datname = $1 AND wait_event_type = 'Lock'";
    until("the migration waits for the other change", async || {
        assert!(!meeting.is_finished(), "the migration should wait for the other change");
        !admin.query(waits, &[&second.name()]).await.unwrap().is_empty()
    })
    .await;
    other.batch_execute("COMMIT").await.unwrap();
    let names = meeting.await.unwrap().unwrap();
    assert_eq!(names.len(), migrations_of(&first).await, "each migration is named once");
}

/// How many migrations a database has applied.
async fn migrations_of(database: &Database) -> usize {
    database.client().await.query("SELECT FROM refinery_schema_history", &[]).await.unwrap().len()
}
