//! Export and erasure of a subject's data. Runs the real admin binary in a Lambda runtime.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use crate::common::{Answer, call, ready, show};
use boxoffice_shared::{
    bookings::{self, BookRequest, BookingId, Hold, UserName},
    holders::{Holder, HolderLimits, IdempotencyKey, Subject},
    inventory::SeatCount,
    platform::db::Db,
};
use boxoffice_testkit::{
    events::{api_event, with_token},
    invariants::assert_invariants,
    lambda::Instance,
    postgres::{Database, Options, Server, Stop},
};
use serde_json::{Value, json};

const ADMIN: &str = env!("CARGO_BIN_EXE_admin");

const SUBJECTS: &str = "/admin/subjects/bookings";

/// A subject with characters that are special in a URL, a pattern or a statement.
const ADA: &str = "auth0|ada+1%20' -- ü";

async fn admin(database: &Database) -> Instance {
    ready(Instance::builder(ADMIN).env("DATABASE_URL", database.url())).await
}

/// Calls the route as an operator with this scope.
async fn ask(instance: &Instance, method: &str, scope: &str, query: &[(&str, &str)]) -> Answer {
    call(instance, &with_token(api_event(method, SUBJECTS, &[], query, &[], None), "operator", scope)).await
}

async fn export(instance: &Instance, query: &[(&str, &str)]) -> Answer {
    ask(instance, "GET", "bookings:read", query).await
}

async fn erase(instance: &Instance, query: &[(&str, &str)]) -> Answer {
    ask(instance, "DELETE", "subjects:erase", query).await
}

/// Books a seat of show 1 for this subject.
async fn book(db: &Db, subject: &str, key: &str) -> BookingId {
    let request = BookRequest {
        id: BookingId::generate("1".parse().unwrap()),
        user_name: UserName::try_from("Ada").unwrap(),
        seats: SeatCount::try_from(1).unwrap(),
        hold: Hold::DEFAULT,
        idempotency_key: Some(IdempotencyKey::try_from(key).unwrap()),
        holder: Holder::of_subject(&Subject::try_from(subject).unwrap()),
        limits: HolderLimits::DEFAULT,
    };
    bookings::book(db, &request).await.unwrap().booking.id()
}

fn booking_ids(page: &Value) -> Vec<String> {
    let bookings = page["bookings"].as_array().unwrap().iter();
    bookings.map(|kept| kept["booking"]["booking_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn operator_exports_and_erases_a_subjects_data() {
    let database = Database::create().await;
    let db = show(&database).await;
    let instance = admin(&database).await;
    let mut mine = Vec::new();
    for key in ["a", "b", "c"] {
        mine.push(book(&db, ADA, key).await.to_string());
    }
    let other = book(&db, "auth0|ada", "a").await.to_string();
    mine.sort_unstable();

    let (mut exported, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let mut query = vec![("subject", ADA), ("limit", "2")];
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page = export(&instance, &query).await;
        assert_eq!(page.status, 200, "{}", page.body);
        exported.extend(booking_ids(&page.body));
        match &page.body["next_cursor"] {
            Value::String(next) => cursor = Some(next.clone()),
            next => break assert_eq!(*next, Value::Null),
        }
    }
    assert_eq!(exported, mine);
    let first = export(&instance, &[("subject", ADA)]).await.body["bookings"][0].clone();
    assert_eq!((&first["booking"]["user_name"], &first["booking"]["status"]), (&json!("Ada"), &json!("PENDING")));
    assert_eq!((&first["payments"], &first["events"], &first["complete"]), (&json!([]), &json!([]), &json!(true)));

    for expected in [3, 0] {
        let erased = erase(&instance, &[("subject", ADA)]).await;
        assert_eq!((erased.status, &erased.body), (200, &json!({ "erased": expected, "more": false })));
    }
    let nothing = export(&instance, &[("subject", ADA)]).await;
    assert_eq!(nothing.body, json!({ "bookings": [], "next_cursor": null }));
    assert_eq!(booking_ids(&export(&instance, &[("subject", "auth0|ada")]).await.body), [other]);
    assert!(instance.logged("\"Anonymised\":3").await);
    assert_invariants(&database.client().await).await;
}

/// One call erases as many bookings as its time allows; `more` says whether any are left.
#[tokio::test]
async fn erasure_of_many_bookings_completes_or_reports_more() {
    let database = Database::create().await;
    show(&database).await;
    let instance = admin(&database).await;
    let client = database.client().await;
    let many = "INSERT INTO bookings (show_id, id, user_name, seats, status, failure_reason, created_at, expires_at, settled_at, holder)
        SELECT 1, gen_random_uuid(), 'Ada', 1, 'FAILED', 'expired', now(), now() + interval '1 minute', now(), 'sub:ada'
        FROM generate_series(1, 2500)";
    client.batch_execute(many).await.unwrap();
    let mut erased = 0;
    loop {
        let answer = erase(&instance, &[("subject", "ada")]).await;
        erased += answer.body["erased"].as_u64().unwrap();
        if answer.body["more"] == false {
            break;
        }
    }
    assert_eq!(erased, 2_500);
    let named: i64 = client.query_one("SELECT count(holder) FROM bookings", &[]).await.unwrap().get(0);
    assert_eq!(named, 0);
}

#[tokio::test]
async fn missing_repeated_or_invalid_subject_is_400() {
    let database = Database::create().await;
    let instance = admin(&database).await;
    let long = "a".repeat(256);
    let bad: [&[(&str, &str)]; 5] = [
        &[],
        &[("subject", "")],
        &[("subject", "ada"), ("subject", "grace")],
        &[("subject", "a\0b")],
        &[("subject", &long)],
    ];
    for query in bad {
        for answer in [export(&instance, query).await, erase(&instance, query).await] {
            assert_eq!((answer.status, answer.problem()), (400, "malformed-request"), "{query:?}");
            let errors = answer.body["errors"].as_array().unwrap();
            assert_eq!((errors.len(), &errors[0]["pointer"]), (1, &json!("subject")), "{query:?}: {}", answer.body);
        }
    }
    let misspelt = export(&instance, &[("Subject", "ada")]).await;
    let pointers: Vec<_> = misspelt.body["errors"].as_array().unwrap().iter().map(|e| e["pointer"].clone()).collect();
    assert_eq!((misspelt.status, pointers), (400, vec![json!("Subject"), json!("subject")]));
    let all = export(&instance, &[("subject", ""), ("limit", "0"), ("cursor", "1-x")]).await;
    let pointers: Vec<_> = all.body["errors"].as_array().unwrap().iter().map(|e| e["pointer"].clone()).collect();
    assert_eq!((all.status, pointers), (400, vec![json!("subject"), json!("limit"), json!("cursor")]));
}

#[tokio::test]
async fn export_and_erasure_each_need_their_own_scope() {
    let database = Database::create().await;
    let instance = admin(&database).await;
    let who = [("subject", "ada")];
    for scope in ["", "shows:write bookings:confirm payments:read payments:settle"] {
        for method in ["GET", "DELETE"] {
            let answer = ask(&instance, method, scope, &who).await;
            assert_eq!((answer.status, answer.problem()), (403, "forbidden"), "{method} with {scope:?}");
        }
    }
    assert_eq!(ask(&instance, "DELETE", "bookings:read", &who).await.status, 403);
    assert_eq!(ask(&instance, "GET", "subjects:erase", &who).await.status, 403);
    for method in ["GET", "DELETE"] {
        let answer = call(&instance, &api_event(method, SUBJECTS, &[], &who, &[], None)).await;
        assert_eq!((answer.status, answer.problem()), (401, "unauthorized"), "{method} without a token");
    }
}

/// A failed erasure reports the failure, and a retry completes it.
#[tokio::test]
async fn failed_erasure_can_be_retried() {
    let server = Server::start(&Options::fast());
    let database = server.create_database().await;
    let db = show(&database).await;
    book(&db, "ada", "a").await;
    let instance = admin(&database).await;
    let holder = database.admin_client().await;
    holder.batch_execute("BEGIN; SELECT FROM bookings FOR UPDATE").await.unwrap();
    let busy = erase(&instance, &[("subject", "ada")]).await;
    assert_eq!((busy.status, busy.problem(), busy.header("retry-after")), (503, "busy", Some("1")));
    holder.batch_execute("COMMIT").await.unwrap();
    server.stop(Stop::Fast).await;
    let down = erase(&instance, &[("subject", "ada")]).await;
    assert_eq!((down.status, down.problem()), (503, "unavailable"));
    server.start_again().await;
    assert_eq!(erase(&instance, &[("subject", "ada")]).await.body, json!({ "erased": 1, "more": false }));
}
