//! `POST /admin/shows` with an `Idempotency-Key`. Runs the real binary in a Lambda runtime.

use crate::common::{self, Answer, call, ready};
use boxoffice_testkit::{
    events::{api_event, with_token},
    lambda::Instance,
    postgres::Database,
};
use serde_json::{Value, json};

const BODY: &str = r#"{"name": "Hamlet", "start_time": "2131-05-01T20:00:00Z", "total_seats": 40}"#;

async fn admin(database: &Database) -> Instance {
    ready(Instance::builder(env!("CARGO_BIN_EXE_admin")).env("DATABASE_URL", database.url())).await
}

fn event(subject: &str, keys: &[&str], body: &str) -> Value {
    let headers: Vec<_> =
        keys.iter().map(|key| ("Idempotency-Key", *key)).chain([("Content-Type", "application/json")]).collect();
    with_token(api_event("POST", "/admin/shows", &[], &[], &headers, Some(body)), subject, "shows:write")
}

async fn create(instance: &Instance, subject: &str, key: &str, body: &str) -> Answer {
    call(instance, &event(subject, &[key], body)).await
}

async fn shows(database: &Database) -> i64 {
    database.client().await.query_one("SELECT count(*) FROM shows", &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn same_key_and_body_return_the_same_show() {
    let database = Database::create().await;
    let instance = admin(&database).await;
    let first = create(&instance, "ada", "k1", BODY).await;
    assert_eq!((first.status, first.header("idempotency-replayed")), (201, None), "{}", first.body);
    // Member order, whitespace and escapes do not matter: this is the same body.
    let reordered = r#"{"total_seats":40,"start_time":"2131-05-01T20:00:00Z","name":"\u0048amlet"}"#;
    for body in [BODY, reordered] {
        let again = create(&instance, "ada", "k1", body).await;
        assert_eq!((again.status, again.header("idempotency-replayed")), (201, Some("true")), "{}", again.body);
        assert_eq!((&again.body, again.header("location")), (&first.body, first.header("location")));
    }
    // A replay returns the show's current state.
    let client = database.client().await;
    client.batch_execute("UPDATE seat_pools SET free = free - 1 WHERE pool_no = 0").await.unwrap();
    client
        .batch_execute("UPDATE shows SET max_seats_per_holder = 3, start_time = now() - interval '1 h'")
        .await
        .unwrap();
    let later = create(&instance, "ada", "k1", BODY).await;
    assert_eq!((later.status, &later.body["max_seats_per_holder"]), (201, &json!(3)), "{}", later.body);
    assert_eq!(later.body["available_seats"], 39);
    assert_eq!(shows(&database).await, 1);
}

#[tokio::test]
async fn same_key_with_another_body_is_refused() {
    let database = Database::create().await;
    let instance = admin(&database).await;
    assert_eq!(create(&instance, "ada", "k1", BODY).await.status, 201);
    for (member, value) in [
        ("name", json!("Macbeth")),
        ("start_time", json!("2131-05-02T20:00:00Z")),
        ("total_seats", json!(41)),
        ("max_seats_per_booking", json!(4)),
        ("pools", json!(2)),
        ("max_seats_per_holder", json!(4)),
    ] {
        let mut body: Value = serde_json::from_str(BODY).unwrap();
        body[member] = value;
        let answer = create(&instance, "ada", "k1", &body.to_string()).await;
        assert_eq!((answer.status, answer.problem()), (422, "idempotency-key-reused"), "{member}");
    }
    assert_eq!(shows(&database).await, 1);
}

#[tokio::test]
async fn keys_are_scoped_to_the_subject() {
    let database = Database::create().await;
    let instance = admin(&database).await;
    let ids = [
        create(&instance, "zorro", "kx", BODY).await,
        create(&instance, "yvonne", "kx", BODY).await,
        create(&instance, "zorro", "ky", BODY).await,
        call(&instance, &event("zorro", &[], BODY)).await,
        call(&instance, &event("zorro", &[], BODY)).await,
    ]
    .map(|answer| answer.body["show_id"].as_i64().unwrap());
    assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), 5, "{ids:?}");
    // Neither the subject nor the key is stored.
    let sql = "SELECT count(*) FROM shows WHERE shows::text ~ 'zorro|yvonne|kx|ky' OR length(creation_key) <> 32";
    assert_eq!(database.client().await.query_one(sql, &[]).await.unwrap().get::<_, i64>(0), 0);
}

#[tokio::test]
async fn concurrent_requests_with_one_key_create_one_show() {
    let database = Database::create().await;
    let instances = [admin(&database).await, admin(&database).await, admin(&database).await];
    for key in ["k1", "k2", "k3"] {
        let event = event("ada", &[key], BODY);
        let [a, b, c] = &instances;
        let answers: [Answer; 3] = tokio::join!(call(a, &event), call(b, &event), call(c, &event)).into();
        let replayed = answers.iter().filter(|answer| answer.header("idempotency-replayed") == Some("true")).count();
        assert!(answers.iter().all(|answer| answer.status == 201 && answer.body == answers[0].body));
        assert_eq!(replayed, 2);
    }
    assert_eq!(shows(&database).await, 3);
}

/// A request whose key belongs to an uncommitted transaction waits for that transaction and returns its show.
#[tokio::test]
async fn request_waits_for_the_transaction_with_its_key() {
    let database = Database::create().await;
    let instance = admin(&database).await;
    let first = create(&instance, "ada", "k1", BODY).await;
    let mut client = database.client().await;
    let transaction = client.transaction().await.unwrap();
    // Simulates a first request whose row is not committed yet.
    let moved = "WITH gone AS (UPDATE shows SET creation_key = NULL, creation_request = NULL WHERE id = 1 RETURNING 1)
        INSERT INTO shows (name, start_time, total_seats, max_seats_per_booking, pools, creation_key, creation_request)
        SELECT name, start_time, total_seats, max_seats_per_booking, pools, sha256('ada k9'), creation_request FROM shows WHERE id = 1";
    transaction.batch_execute(moved).await.unwrap();
    transaction
        .batch_execute("INSERT INTO seat_pools (show_id, pool_no, free) SELECT max(id), 0, 40 FROM shows")
        .await
        .unwrap();
    let event = event("ada", &["k9"], BODY);
    let waiting = call(&instance, &event);
    let watcher = database.admin_client().await;
    let ending = async {
        common::until("the second request waits for the lock", async || {
            let sql = "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
            watcher.query_one(sql, &[]).await.unwrap().get(0)
        })
        .await;
        transaction.commit().await.unwrap();
    };
    let (answer, ()) = tokio::join!(waiting, ending);
    assert_eq!((answer.status, answer.header("idempotency-replayed")), (201, Some("true")), "{}", answer.body);
    assert_ne!(answer.body["show_id"], first.body["show_id"]);
    assert_eq!(shows(&database).await, 2);
}

#[tokio::test]
async fn invalid_key_or_invalid_show_creates_nothing() {
    let database = Database::create().await;
    let instance = admin(&database).await;
    let long = "k".repeat(256);
    for key in ["", "two words", "k\u{f6}", &long] {
        let answer = create(&instance, "ada", key, BODY).await;
        assert_eq!((answer.status, answer.problem()), (400, "malformed-request"), "{key:?}");
    }
    let past = BODY.replace("2131", "2001");
    for _ in 0..2 {
        let answer = create(&instance, "ada", "k1", &past).await;
        assert_eq!((answer.status, answer.problem()), (422, "validation-failed"));
    }
    // A failed request does not use up its key.
    assert_eq!(create(&instance, "ada", "k1", BODY).await.header("idempotency-replayed"), None);
    assert_eq!(shows(&database).await, 1);
}
