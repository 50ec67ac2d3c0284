//! The schema rejects timestamps that no answer can represent, and an operation that cannot answer does not commit.

use std::path::Path;

use crate::common::{
    self, NO_LIMITS, db, new_show,
    pay::{event, priced_show, success},
    request,
};
use boxoffice_shared::{
    Error,
    bookings::{self, BookingId, Hold},
    inventory::Pools,
    page::PageLimit,
    payments::{self, Provider},
    platform::db::Db,
    shows::{self, NewShow, Show, ShowId},
};
use boxoffice_testkit::postgres::Database;
use jiff::Timestamp;
use tokio_postgres::{Client, error::SqlState};

/// Timestamps that the schema rejects.
const BEYOND: [&str; 8] = [
    "infinity",
    "-infinity",
    "4714-11-24 00:00:00+00 BC",
    "0001-01-01 00:00:00+00",
    "1969-12-31 23:59:59.999999+00",
    "9999-12-30 22:00:01+00",
    "10000-01-01 00:00:00+00",
    "294276-12-31 23:59:59.999999+00",
];

/// The first and the last timestamp that the schema accepts.
const FIRST: &str = "1970-01-01 00:00:00+00";
const LAST: &str = "9999-12-30 22:00:00.999999+00";

/// A row in each table that has timestamps. If a migration adds such a table, it needs a row here.
const ROWS: &str = "
    INSERT INTO shows (name, start_time, total_seats, max_seats_per_booking, pools)
    VALUES ('A', now() + interval '1 day', 10, 4, 1);
    INSERT INTO bookings (show_id, id, user_name, seats, status, created_at, expires_at)
    VALUES (1, '019a5b7e-8f00-7abc-8def-0123456789ab', 'Ada', 2, 'PENDING', now(), now() + interval '1 hour');
    INSERT INTO holders (show_id, holder) VALUES (1, 'ip:192.0.2.1');
    INSERT INTO payments (provider, payment_id, state) VALUES ('stripe', 'pi_1', 'pending');
    INSERT INTO payment_refunds (provider, payment_id, refund_id, amount_minor, currency, state, first_told_at, told_at)
    VALUES ('stripe', 'pi_1', 're_1', 1, 'EUR', 'pending', now(), now());
    INSERT INTO payment_disputes (provider, payment_id, dispute_id, state, told_at)
    VALUES ('stripe', 'pi_1', 'dp_1', 'opened', now());
    INSERT INTO payment_events (provider, event_id, type, occurred_at, change, outcome, payload)
    VALUES ('stripe', 'evt_1', '', now(), 'other', 'kept', '')";

async fn scene() -> (Database, Db, Client) {
    let database = Database::create().await;
    let (db, client) = (db(&database, 1), database.client().await);
    (database, db, client)
}

/// According to the catalog, a validated constraint of each table covers all its timestamp columns, and all of them are
/// of type `timestamptz`.
#[tokio::test]
async fn every_timestamp_column_is_bounded() {
    let (_database, _db, client) = scene().await;
    let clocks = "
        SELECT format('%s.%s', relname, attname) AS name,
            EXISTS (
                SELECT FROM pg_constraint
                WHERE conrelid = pg_class.oid AND conname = relname || '_clocks' AND convalidated AND attnum = ANY (conkey)
                    AND pg_get_constraintdef(pg_constraint.oid) LIKE 'CHECK (clocks_are_readable(%'
            ) AS is_bounded,
            atttypid = 'timestamptz'::regtype AS is_clock
        FROM pg_class
        JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
            AND atttypid IN ('timestamptz'::regtype, 'timestamp'::regtype, 'date'::regtype, 'interval'::regtype, 'timestamptz[]'::regtype)
        ORDER BY 1";
    let columns = client.query(clocks, &[]).await.unwrap();
    assert!(columns.len() >= 14, "{}", columns.len());
    let forgotten: Vec<&str> =
        columns.iter().filter(|row| !row.get::<_, bool>(1) || !row.get::<_, bool>(2)).map(|row| row.get(0)).collect();
    assert_eq!(forgotten, Vec::<&str>::new(), "add SELECT bound_clocks('the_table') to the migration");
}

/// Sets a column to this value and rolls back. Returns the constraint that it violates, if any.
async fn broken(client: &Client, table: &str, column: &str, value: &str) -> Option<String> {
    client.batch_execute("BEGIN").await.unwrap();
    let set = client.batch_execute(&format!("UPDATE {table} SET {column} = '{value}'")).await;
    client.batch_execute("ROLLBACK").await.unwrap();
    let error = set.err()?;
    let error = error.as_db_error().unwrap();
    assert_eq!(*error.code(), SqlState::CHECK_VIOLATION, "{table}.{column} = {value}: {error}");
    error.constraint().map(str::to_owned)
}

#[tokio::test]
async fn every_timestamp_column_rejects_unreadable_values() {
    let (_database, _db, client) = scene().await;
    client.batch_execute(ROWS).await.unwrap();
    let clocks = "
        SELECT relname::text, attname::text
        FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND atttypid = 'timestamptz'::regtype";
    for row in client.query(clocks, &[]).await.unwrap() {
        let (table, column): (&str, &str) = (row.get(0), row.get(1));
        let has_row = client.query_opt(&format!("SELECT FROM {table}"), &[]).await.unwrap();
        assert!(has_row.is_some(), "ROWS should contain a row of {table}");
        let own = Some(format!("{table}_clocks"));
        for value in BEYOND {
            assert_eq!(broken(&client, table, column, value).await, own, "{table}.{column} = {value}");
        }
        // Another constraint may reject it: for example, a hold must end after it began.
        for value in [FIRST, LAST] {
            assert_ne!(broken(&client, table, column, value).await, own, "{table}.{column} = {value}");
        }
    }
}

/// The functions can read every timestamp that the schema accepts, and the schema accepts every one that they can send.
#[tokio::test]
async fn schema_and_functions_accept_the_same_timestamps() {
    let (_database, db, client) = scene().await;
    for (text, time) in [(FIRST, Timestamp::UNIX_EPOCH), (LAST, Timestamp::MAX)] {
        let sql = "SELECT $1::text::timestamptz, clocks_are_readable($1::text::timestamptz, $2)";
        let row = client.query_one(sql, &[&text, &time]).await.unwrap();
        assert_eq!(row.get::<_, Timestamp>(0).as_microsecond(), time.as_microsecond());
        assert!(row.get::<_, bool>(1), "{text}");
    }
    let beyond = "SELECT '9999-12-30 22:00:01+00'::timestamptz";
    assert!(client.query_one(beyond, &[]).await.unwrap().try_get::<_, Timestamp>(0).is_err());
    // NULL is accepted: the check returns NULL.
    let unset = client.query_one("SELECT clocks_are_readable(NULL, NULL)", &[]).await.unwrap();
    assert_eq!(unset.get::<_, Option<bool>>(0), None);
    let last = NewShow { start_time: Timestamp::MAX, ..new_show(10, 1) };
    let mut ids = Vec::new();
    for _ in 0..2 {
        ids.push(shows::create(&db, &last).await.unwrap().id());
    }
    let limit: PageLimit = "1".parse().unwrap();
    let (mut listed, mut at) = (Vec::new(), None);
    loop {
        let page = shows::list(&db, limit, at).await.unwrap();
        listed.extend(page.items.iter().map(Show::id));
        at = page.next;
        if at.is_none() {
            break;
        }
    }
    assert_eq!(listed, ids);
}

/// Writes an unreadable timestamp, as was possible by hand before the constraint existed. Then adds the constraint
/// again, not validated for older rows.
async fn spoil(client: &Client, table: &str, change: &str) {
    let sql = format!(
        "ALTER TABLE {table} DROP CONSTRAINT {table}_clocks; UPDATE {table} SET {change}; SELECT bound_clocks('{table}')"
    );
    client.batch_execute(&sql).await.unwrap();
}

/// Returns all rows of a table as text.
async fn written(client: &Client, table: &str) -> Vec<String> {
    let sql = format!("SELECT {table}::text FROM {table} ORDER BY 1");
    client.query(&sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

async fn hold(db: &Db, show: ShowId) -> BookingId {
    bookings::book(db, &request(show, 2)).await.unwrap().booking.id()
}

/// Runs each operation that changes a row and returns it, on a row with an unreadable timestamp.
#[tokio::test]
async fn operation_that_cannot_answer_does_not_commit() {
    let (_database, db, client) = scene().await;
    let show = priced_show(&db, 10, 1).await.id();
    let id = hold(&db, show).await;
    // The payment's booking does not exist, so its refund is due.
    let unknown = BookingId::generate(show);
    payments::record(&db, &success("evt_1", "pi_1", unknown, 2), &NO_LIMITS).await.unwrap();
    for (table, change) in [
        ("bookings", "created_at = '-infinity'"),
        ("bookings", "created_at = created_at - interval '3000 years'"),
        ("bookings", "created_at = now(), expires_at = 'infinity'"),
        ("bookings", "expires_at = '10000-01-01'"),
        ("payments", "created_at = 'infinity'"),
        ("shows", "start_time = '10000-01-01'"),
    ] {
        spoil(&client, table, change).await;
        let all = async || (written(&client, "bookings").await, written(&client, "payments").await);
        let (before, shows, pools) =
            (all().await, written(&client, "shows").await, written(&client, "seat_pools").await);
        let mut said = vec![];
        if table == "bookings" {
            said.push(bookings::confirm(&db, id).await.map(drop));
            said.push(bookings::cancel(&db, id, None).await.map(drop));
            let longer = Hold::try_from(900).unwrap();
            said.push(bookings::extend(&db, id, None, longer, longer.duration()).await.map(drop));
            said.push(payments::record(&db, &success("evt_2", "pi_2", id, 2), &NO_LIMITS).await.map(drop));
        }
        if table == "payments" {
            said.push(payments::settle(&db, Provider::Stripe, &"pi_1".try_into().unwrap()).await.map(drop));
        }
        if table == "shows" {
            said.push(shows::set_pools(&db, show, Pools::try_from(2).unwrap()).await.map(drop));
            said.push(shows::set_holder_limits(&db, show, Some(None), None).await.map(drop));
        }
        for said in said {
            assert!(matches!(said, Err(Error::Internal(_))), "{table}, {change}: {said:?}");
        }
        assert_eq!(all().await, before, "{table}, {change}");
        assert_eq!((written(&client, "shows").await, written(&client, "seat_pools").await), (shows, pools), "{change}");
    }
    // The constraint prevents the change: without it, the operation commits and cannot answer.
    client.batch_execute("ALTER TABLE bookings DROP CONSTRAINT bookings_clocks").await.unwrap();
    assert!(matches!(bookings::confirm(&db, id).await, Err(Error::Internal(_))));
    assert_eq!(common::count(&client, "CONFIRMED").await, 1);
}

/// The migration that checks older rows fails with the table's name and a query that finds the rows. Once they are
/// repaired, it passes.
#[tokio::test]
async fn migration_names_the_table_with_an_unreadable_timestamp() {
    let (_database, db, client) = scene().await;
    let id = hold(&db, priced_show(&db, 10, 1).await.id()).await;
    let told = event("evt_1", "pi_1", Some(id), boxoffice_shared::payments::PaymentChange::Failed);
    payments::record(&db, &told, &NO_LIMITS).await.unwrap();
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations");
    let files = std::fs::read_dir(migrations).unwrap().map(|file| file.unwrap().path());
    let mut looks = files.filter(|file| file.to_str().unwrap().ends_with("__clocks_of_old_rows.sql"));
    let look = std::fs::read_to_string(looks.next().unwrap()).unwrap();
    for (table, spoilt, mended) in [
        ("bookings", "expires_at = 'infinity'", "expires_at = now() + interval '1 minute'"),
        ("payment_events", "occurred_at = '-infinity'", "occurred_at = received_at"),
        ("payments", "refund_told_at = 'infinity'", "refund_told_at = NULL"),
        ("shows", "created_at = '0044-03-15 BC'", "created_at = now()"),
    ] {
        spoil(&client, table, spoilt).await;
        let error = client.batch_execute(&look).await.unwrap_err();
        let said = error.as_db_error().unwrap().message();
        let (start, query) = said.split_once("then migrate again: ").unwrap_or_else(|| panic!("{said}"));
        assert_eq!(start, format!("{table} has rows with a clock before 1970 or after 9999: mend them, "));
        assert_eq!(client.query(query, &[]).await.unwrap().len(), 1, "{query}");
        client.batch_execute(&format!("UPDATE {table} SET {mended}")).await.unwrap();
        client.batch_execute(&look).await.unwrap();
    }
}
