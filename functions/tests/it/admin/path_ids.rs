//! Provider ids with characters that are special in a path. Operators can act on everything that the lists return,
//! whether the gateway passes paths percent-encoded (AWS) or decoded (other gateways). Runs the real binaries in a
//! Lambda runtime.

use crate::common::{
    Answer, call, operator, ready,
    webhook::{Scene, standard},
};
use std::{collections::BTreeSet, fmt::Write, time::Duration};

use boxoffice_testkit::{events::api_event, lambda::Instance, sqs::FixedDelayQueue};
use serde_json::{Value, json};

const ADMIN: &str = env!("CARGO_BIN_EXE_admin");

/// Ids with each visible ASCII character, and ids that are awkward as a whole.
fn odd_ids() -> BTreeSet<String> {
    let each = (b'!'..=b'~').map(|byte| format!("x{}y", byte as char));
    let odd = [
        "order/17?1",
        "a/b",
        "a%2Fb",
        "a%252Fb",
        "a%b",
        "%",
        "%25",
        "%zz",
        ".",
        "..",
        "../..",
        "a/../b",
        "/",
        "//",
        "?",
        "#",
        "a#b",
        "a+b",
        "a&b=c;d",
        "~",
        "b64.",
        "b64.YQ",
        "b64.cGlfMQ",
        "pi_1",
        "{payment_id}",
        "\"'`\\",
        "settle",
    ];
    each.chain(odd.map(str::to_owned)).chain(["/".repeat(255), "z".repeat(255)]).collect()
}

/// Percent-encodes an id as clients do in a path: all characters except the unreserved ones of RFC 3986.
fn encoded(id: &str) -> String {
    id.bytes().fold(String::new(), |mut text, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => text.push(byte as char),
            _ => write!(text, "%{byte:02X}").unwrap(),
        }
        text
    })
}

async fn list(admin: &Instance, resource: &str, things: &str) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let query: Vec<_> = cursor.iter().map(|cursor| ("cursor", cursor.as_str())).chain([("limit", "100")]).collect();
        let page = call(admin, &operator(api_event("GET", resource, &[], &query, &[], None))).await;
        assert_eq!(page.status, 200, "{}", page.body);
        all.extend(page.body[things].as_array().unwrap().iter().cloned());
        match page.body["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return all,
        }
    }
}

async fn settle(admin: &Instance, segment: &str) -> Answer {
    let path = [("provider", "standard"), ("payment_id", segment)];
    let resource = "/admin/payments/{provider}/{payment_id}/settle";
    call(admin, &operator(api_event("POST", resource, &path, &[], &[], None))).await
}

/// Decides a dispute that does not exist. The answer shows which payment the segment resolves to.
async fn decide(admin: &Instance, segment: &str) -> Answer {
    let path = [("provider", "standard"), ("payment_id", segment)];
    let resource = "/admin/payments/{provider}/{payment_id}/dispute";
    let headers = [("Content-Type", "application/json")];
    call(admin, &operator(api_event("POST", resource, &path, &[], &headers, Some(r#"{"decision": "keep"}"#)))).await
}

async fn replay(admin: &Instance, segment: &str) -> Answer {
    let path = [("provider", "standard"), ("event_id", segment)];
    let resource = "/admin/payments/events/{provider}/{event_id}/replay";
    call(admin, &operator(api_event("POST", resource, &path, &[], &[], None))).await
}

/// Records payments for an unknown booking, which are due for refund, and starts the admin binary.
async fn due(scene: &Scene, ids: &BTreeSet<String>) -> Instance {
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let confirm = ready(scene.confirm(&queue.endpoint(), &queue.queue_url())).await;
    for (number, id) in ids.iter().enumerate() {
        let body = json!({"type": "payment.succeeded", "timestamp": "2026-07-01T12:00:00Z", "data":
            {"booking_id": "1-019a5b7e-8f00-7abc-8def-0123456789ab", "payment_id": id, "amount": 5000, "currency": "EUR"}});
        let answer = call(&confirm, &standard(&format!("msg_{number}"), &body.to_string())).await;
        assert_eq!(answer.body["outcome"], "refund_due", "{id}");
    }
    ready(Instance::builder(ADMIN).env("DATABASE_URL", scene.database.url())).await
}

#[tokio::test]
async fn every_listed_payment_can_be_settled_by_its_path_id() {
    let scene = Scene::new().await;
    let ids = odd_ids();
    let admin = due(&scene, &ids).await;
    let listed = list(&admin, "/admin/payments", "payments").await;
    assert_eq!(listed.iter().map(|p| p["payment_id"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>(), ids);
    for payment in &listed {
        let (id, path_id) = (&payment["payment_id"], payment["path_id"].as_str().unwrap());
        // It has no characters that clients encode or gateways change.
        assert_eq!(encoded(path_id), path_id, "{id}");
        let decided = decide(&admin, path_id).await;
        assert_eq!((decided.status, decided.problem()), (409, "dispute-not-lost"), "{id}: {}", decided.body);
        let settled = settle(&admin, path_id).await;
        assert_eq!((settled.status, &settled.body["payment_id"]), (200, id), "{}", settled.body);
    }
    assert!(list(&admin, "/admin/payments", "payments").await.is_empty());
}

#[tokio::test]
async fn every_payment_can_be_settled_by_its_percent_encoded_id() {
    let scene = Scene::new().await;
    // A segment that starts with "b64." is always read as a path id.
    let ids: BTreeSet<_> = odd_ids().into_iter().filter(|id| !id.starts_with("b64.")).collect();
    let admin = due(&scene, &ids).await;
    for id in &ids {
        let settled = settle(&admin, &encoded(id)).await;
        assert_eq!((settled.status, &settled.body["payment_id"]), (200, &json!(id)), "{}", settled.body);
    }
    assert!(list(&admin, "/admin/payments", "payments").await.is_empty());
}

/// A gateway that decodes paths passes the id itself.
#[tokio::test]
async fn every_payment_can_be_settled_by_its_decoded_id() {
    let scene = Scene::new().await;
    let ids: BTreeSet<_> = odd_ids().into_iter().filter(|id| !id.starts_with("b64.") && id != "a/b").collect();
    let admin = due(&scene, &ids).await;
    // If one id is the encoding of another, settle the shorter one first: the longer one may resolve to it.
    let mut ids: Vec<_> = ids.into_iter().filter(|id| !id.starts_with("a%25") && id != "%25").collect();
    ids.sort_unstable();
    for id in &ids {
        let settled = settle(&admin, id).await;
        assert_eq!((settled.status, &settled.body["payment_id"]), (200, &json!(id)), "{}", settled.body);
    }
}

#[tokio::test]
async fn unknown_payment_path_is_404() {
    let scene = Scene::new().await;
    let admin = due(&scene, &BTreeSet::from(["a/b".to_owned(), "pi_1".to_owned()])).await;
    for segment in
        ["", "b64.", "b64.x", "b64.cGlfMQ", "b64.YS9i=", "b64.YS9j", "a%2Fc", "a%2fb%20", "%00", "%ff", "a b"]
    {
        let answer = settle(&admin, segment).await;
        assert_eq!((answer.status, answer.problem()), (404, "payment-not-found"), "{segment}");
    }
    assert_eq!(list(&admin, "/admin/payments", "payments").await.len(), 2);
}

#[tokio::test]
async fn every_listed_event_can_be_replayed() {
    let scene = Scene::new().await;
    let ids = odd_ids();
    for id in &ids {
        let sql = "INSERT INTO payment_events (provider, event_id, type, occurred_at, change, outcome, payload)
                   VALUES ('standard', $1, '', now() - interval '1 day', 'unreadable', 'kept', $2)";
        let payload = json!({"type": "something.else", "timestamp": "2026-07-01T12:00:00Z", "data": {}}).to_string();
        scene.client.execute(sql, &[id, &payload]).await.unwrap();
    }
    let admin = ready(Instance::builder(ADMIN).env("DATABASE_URL", scene.database.url())).await;
    let listed = list(&admin, "/admin/payments/events", "events").await;
    assert_eq!(listed.len(), ids.len());
    for (number, event) in listed.iter().enumerate() {
        let id = event["event_id"].as_str().unwrap();
        // Alternate between the two forms.
        let by_id = number % 2 == 0 && !id.starts_with("b64.");
        let segment = if by_id { encoded(id) } else { event["path_id"].as_str().unwrap().to_owned() };
        let replayed = replay(&admin, &segment).await;
        assert_eq!((replayed.status, &replayed.body["event_id"]), (200, &json!(id)), "{}", replayed.body);
    }
    assert!(list(&admin, "/admin/payments/events", "events").await.is_empty());
}
