//! Unreadable rows do not break lists: the real binaries leave such a row out, log and count it, and continue after it.

use crate::common::{call, operator, ready};
use boxoffice_testkit::{events::api_event, lambda::Instance, postgres::Database};
use serde_json::Value;
use tokio_postgres::Client;

async fn start(binary: &str, database: &Database) -> Instance {
    ready(Instance::builder(binary).env("DATABASE_URL", database.url()).env("AWS_LAMBDA_LOG_FORMAT", "JSON")).await
}

/// Reads a list page by page and returns the `id` of each item.
async fn walk(instance: &Instance, path: &str, query: &[(&str, &str)], id: impl Fn(&Value) -> String) -> Vec<String> {
    let (mut all, mut cursor) = (Vec::new(), None::<String>);
    // One page for each row, and one more.
    for _ in 0..=ROWS {
        let mut query = query.to_vec();
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page = call(instance, &operator(api_event("GET", path, &[], &query, &[], None))).await;
        assert_eq!(page.status, 200, "{path} {query:?}: {}", page.body);
        let things = page.body.as_object().unwrap().values().find_map(Value::as_array).unwrap();
        all.extend(things.iter().map(&id));
        cursor = page.body["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            return all;
        }
    }
    panic!("{path}: the list does not end: {all:?}");
}

/// The number of rows in each list.
const ROWS: usize = 9;
/// The rows that stay readable.
const READABLE: [usize; 4] = [1, 3, 6, 7];

/// Makes rows 2, 4, 5, 8 and 9 unreadable. The last two have unreadable sort keys.
async fn spoil(client: &Client, table: &str, number: &str, key: &str, inner: [&str; 3]) {
    let drop = format!("ALTER TABLE {table} DROP CONSTRAINT {table}_clocks");
    client.batch_execute(&drop).await.unwrap();
    let [two, four, five] = inner;
    let (eight, nine) = (format!("{key} = '10000-01-01'"), format!("{key} = 'infinity'"));
    for (row, change) in [(2, two), (4, four), (5, five), (8, &eight), (9, &nine)] {
        let changed =
            client.execute(&format!("UPDATE {table} SET {change} WHERE {number} = {row}"), &[]).await.unwrap();
        assert_eq!(changed, 1, "{table} {row}");
    }
}

/// Asserts that every page size returns the same items and that each row left out is logged by its key.
async fn leaves_out(
    instance: &Instance,
    (path, query): (&str, &[(&str, &str)]),
    id: impl Fn(&Value) -> String,
    expected: &[String],
    left_out: &[String],
) {
    for limit in ["1", "2", "3", "8", "9", "100"] {
        let query: Vec<_> = [&[("limit", limit)], query].concat();
        assert_eq!(walk(instance, path, &query, &id).await, expected, "{path} {query:?}");
    }
    assert!(instance.logged("a row cannot be read and was left out of the list").await);
    assert!(instance.logged("\"RowUnreadable\":1").await);
    for key in left_out {
        assert!(instance.logged(key).await, "{key}: {}", instance.stdout());
    }
}

fn text(thing: &Value, field: &str) -> String {
    let value = &thing[field];
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn named(prefix: &str, numbers: &[usize]) -> Vec<String> {
    numbers.iter().map(|number| format!("{prefix}{number}")).collect()
}

#[tokio::test]
async fn unreadable_show_is_left_out_of_the_list() {
    let database = Database::create().await;
    let client = database.client().await;
    let shows = format!(
        "INSERT INTO shows (name, start_time, total_seats, max_seats_per_booking, pools)
         SELECT 'A', now() + make_interval(days => n), 10, 4, 1 FROM generate_series(1, {ROWS}) AS n;
         INSERT INTO seat_pools (show_id, pool_no, free) SELECT id, 0, 10 FROM shows WHERE id <> 2;
         INSERT INTO seat_pools (show_id, pool_no, free) VALUES (4, 1, 2147483647);
         ALTER TABLE shows DROP CONSTRAINT shows_currency"
    );
    client.batch_execute(&shows).await.unwrap();
    let nothing = "pools = pools";
    spoil(&client, "shows", "id", "start_time", [nothing, nothing, "price_minor = 1, currency = 'credits'"]).await;
    let instance = start(env!("CARGO_BIN_EXE_list-shows"), &database).await;
    let left_out: Vec<_> = [2, 4, 5, 8, 9].iter().map(|id| format!("\"key\":\"{id}\"")).collect();
    let id = |show: &Value| text(show, "show_id");
    leaves_out(&instance, ("/shows", &[]), id, &named("", &READABLE), &left_out).await;
}

#[tokio::test]
async fn unreadable_payments_and_events_are_left_out_of_their_lists() {
    let database = Database::create().await;
    let client = database.client().await;
    let rows = format!(
        "INSERT INTO payments (provider, payment_id, state, reason, amount_minor, currency, succeeded_at, created_at)
         SELECT 'stripe', 'pi_' || n, 'refund_due', 'unknown_booking', 5000, 'EUR', now(), now() + make_interval(secs => n)
         FROM generate_series(1, {ROWS}) AS n;
         INSERT INTO payment_events (provider, event_id, type, occurred_at, received_at, change, outcome, payload)
         SELECT 'stripe', 'evt_' || n, '', now(), now() + make_interval(secs => n), 'unreadable', 'kept', ''
         FROM generate_series(1, {ROWS}) AS n"
    );
    client.batch_execute(&rows).await.unwrap();
    let number = "right(payment_id, 1)::integer";
    let later = "reason = 'of_a_later_version'";
    spoil(&client, "payments", number, "created_at", ["updated_at = 'infinity'", later, "updated_at = '-infinity'"])
        .await;
    let number = "right(event_id, 1)::integer";
    spoil(&client, "payment_events", number, "received_at", ["occurred_at = 'infinity'", later, "payment_id = 'ä b'"])
        .await;
    let instance = start(env!("CARGO_BIN_EXE_admin"), &database).await;
    let left_out: Vec<_> = [2, 4, 5, 8, 9].iter().map(|n| format!("\"key\":\"stripe pi_{n}\"")).collect();
    let id = |payment: &Value| text(payment, "payment_id");
    let list = ("/admin/payments", &[("state", "refund_due")][..]);
    leaves_out(&instance, list, id, &named("pi_", &READABLE), &left_out).await;
    let left_out: Vec<_> = [2, 4, 5, 8, 9].iter().map(|n| format!("\"key\":\"stripe evt_{n}\"")).collect();
    let id = |event: &Value| text(event, "event_id");
    let list = ("/admin/payments/events", &[("change", "unreadable")][..]);
    leaves_out(&instance, list, id, &named("evt_", &READABLE), &left_out).await;
}

/// Unreadable payments and events of a booking are left out, and the booking is then marked as not complete.
#[tokio::test]
async fn unreadable_rows_are_left_out_of_an_export() {
    let database = Database::create().await;
    let client = database.client().await;
    let rows = format!(
        "INSERT INTO bookings (show_id, id, user_name, seats, status, created_at, expires_at, holder)
         SELECT 1, lpad(n::text, 32, '0')::uuid, 'Ada', n, 'PENDING', now(), now() + interval '1 hour', 'sub:ada'
         FROM generate_series(1, {ROWS}) AS n;
         INSERT INTO payments (provider, payment_id, show_id, booking_id, state)
         SELECT 'stripe', 'pi_' || seats, show_id, id, 'pending' FROM bookings;
         INSERT INTO payment_events (provider, event_id, type, payment_id, occurred_at, change, outcome, payload)
         SELECT 'stripe', 'evt_' || seats, '', 'pi_' || seats, now(), 'failed', 'kept', 'x' FROM bookings"
    );
    client.batch_execute(&rows).await.unwrap();
    let spoilt = "
         ALTER TABLE payments DROP CONSTRAINT payments_clocks; UPDATE payments SET updated_at = 'infinity' WHERE payment_id = 'pi_6';
         ALTER TABLE payment_events DROP CONSTRAINT payment_events_clocks;
         UPDATE payment_events SET received_at = '-infinity' WHERE event_id = 'evt_7'";
    client.batch_execute(spoilt).await.unwrap();
    let past = "created_at = '-infinity'";
    spoil(&client, "bookings", "seats", "expires_at", [past, "expires_at = 'infinity'", past]).await;
    let instance = start(env!("CARGO_BIN_EXE_admin"), &database).await;
    let id = |kept: &Value| {
        let count = |list: &str| kept[list].as_array().unwrap().len();
        format!("{} {} {} {}", kept["booking"]["seats"], count("payments"), count("events"), kept["complete"])
    };
    let expected = ["1 1 1 true", "3 1 1 true", "6 0 1 false", "7 1 0 false"].map(str::to_owned);
    let left_out: Vec<_> =
        [2, 4, 5, 8, 9].iter().map(|n| format!("\"key\":\"1 00000000-0000-0000-0000-00000000000{n}\"")).collect();
    let list = ("/admin/subjects/bookings", &[("subject", "ada")][..]);
    leaves_out(&instance, list, id, &expected, &left_out).await;
    assert!(instance.logged("\"key\":\"stripe pi_6\"").await && instance.logged("\"key\":\"stripe evt_7\"").await);
}
