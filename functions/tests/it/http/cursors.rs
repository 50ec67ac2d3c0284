//! Cursors are valid only for their own list and filter. Runs the real binaries in a Lambda runtime.

use crate::common::{Answer, call, operator, ready, show};
use boxoffice_testkit::{events::api_event, lambda::Instance, postgres::Database};
use serde_json::Value;

const SHOWS: &str = "/shows";
const PAYMENTS: &str = "/admin/payments";
const EVENTS: &str = "/admin/payments/events";
const SUBJECT: &str = "/admin/subjects/bookings";

/// Query parameters.
type Query = &'static [(&'static str, &'static str)];

/// Each list with a filter, and another filter of the same list.
const LISTS: [(&str, Query, Query); 6] = [
    (SHOWS, &[], &[]),
    (PAYMENTS, &[], &[("state", "refunded")]),
    (PAYMENTS, &[("state", "refund_due")], &[("state", "confirmed")]),
    (EVENTS, &[("change", "unreadable")], &[]),
    (SUBJECT, &[("subject", "ada")], &[("subject", "eve")]),
    (SUBJECT, &[("subject", "eve")], &[("subject", "ada")]),
];

/// A database with two rows for each list, so that a page of one row has a next page.
async fn filled() -> Database {
    let database = Database::create().await;
    show(&database).await;
    show_again(&database).await;
    let rows = "
        INSERT INTO bookings (show_id, id, user_name, seats, status, created_at, expires_at, holder, settled_at, failure_reason)
        SELECT 1, ('019a5b7e-8f00-7abc-8def-01234567890' || n)::uuid, 'Ada', 1, 'FAILED', now(), now() + interval '1 s', 'sub:' || holder, now(), 'expired'
        FROM (VALUES (1, 'ada'), (2, 'ada'), (3, 'eve'), (4, 'eve')) AS row (n, holder);
        INSERT INTO payment_events (provider, event_id, type, occurred_at, change, outcome, payload)
        SELECT 'stripe', 'evt&#+' || n, '', now(), 'unreadable', 'kept', '' FROM generate_series(1, 2) AS n;
        INSERT INTO payments (provider, payment_id, amount_minor, currency, succeeded_at, state, reason)
        SELECT 'stripe', 'pi&#+' || n, 1, 'EUR', now(), 'refund_due', 'unknown_booking' FROM generate_series(1, 2) AS n;";
    database.client().await.batch_execute(rows).await.unwrap();
    database
}

async fn show_again(database: &Database) {
    let sql = "INSERT INTO shows (name, start_time, total_seats, max_seats_per_booking, pools)
        SELECT name, start_time, total_seats, max_seats_per_booking, 1 FROM shows;
        INSERT INTO seat_pools (show_id, pool_no, free) SELECT 2, 0, 100;";
    database.client().await.batch_execute(sql).await.unwrap();
}

struct Api {
    shows: Instance,
    admin: Instance,
}

impl Api {
    async fn new(database: &Database) -> Self {
        let start = async |binary| ready(Instance::builder(binary).env("DATABASE_URL", database.url())).await;
        Self { shows: start(env!("CARGO_BIN_EXE_list-shows")).await, admin: start(env!("CARGO_BIN_EXE_admin")).await }
    }

    async fn list(&self, list: &str, query: &[(&str, &str)]) -> Answer {
        let instance = if list == SHOWS { &self.shows } else { &self.admin };
        call(instance, &operator(api_event("GET", list, &[], query, &[], None))).await
    }

    /// The cursor that the first page returns.
    async fn cursor(&self, list: &str, filter: &[(&str, &str)]) -> String {
        let page = self.list(list, &[filter, &[("limit", "1")]].concat()).await;
        page.body["next_cursor"].as_str().unwrap_or_else(|| panic!("{list}: {}", page.body)).to_owned()
    }

    async fn refuses(&self, list: &str, filter: &[(&str, &str)], cursor: &str) {
        let answer = self.list(list, &[filter, &[("cursor", cursor)]].concat()).await;
        assert_eq!((answer.status, answer.problem()), (400, "malformed-request"), "{list} {filter:?} {cursor}");
        let pointers: Vec<_> = answer.body["errors"].as_array().unwrap().iter().map(|e| &e["pointer"]).collect();
        assert_eq!(pointers, [&Value::from("cursor")]);
    }
}

#[tokio::test]
async fn cursor_works_only_for_its_own_list_and_filter() {
    let database = filled().await;
    let api = Api::new(&database).await;
    for (list, filter, other) in LISTS {
        let cursor = api.cursor(list, filter).await;
        assert!(cursor.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "{cursor}");
        let next = api.list(list, &[filter, &[("limit", "1"), ("cursor", &cursor)]].concat()).await;
        assert_eq!((next.status, &next.body["next_cursor"]), (200, &Value::Null), "{}", next.body);
        if !other.is_empty() {
            api.refuses(list, other, &cursor).await;
        }
        for (another, filter, _) in LISTS.iter().filter(|(another, ..)| *another != list) {
            api.refuses(another, filter, &cursor).await;
        }
    }
}

/// Covers the format of older versions and forgeries that know the current format.
#[tokio::test]
async fn forged_cursor_is_refused() {
    let database = filled().await;
    let api = Api::new(&database).await;
    for (list, filter, _) in LISTS {
        let cursor = api.cursor(list, filter).await;
        let mut changed = cursor.clone().into_bytes();
        changed[20] = if changed[20] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        for made in [
            "1785000000123456.1",
            "1785000000123456.stripe.pi_1",
            "1-019a5b7e-8f00-7abc-8def-012345678901",
            "MTc4NTAwMDAwMDEyMzQ1Ni4x",
            "x",
            "",
            &format!("{cursor}="),
            &format!("{cursor}A"),
            &cursor[1..],
            &changed,
        ] {
            api.refuses(list, filter, made).await;
        }
    }
}
