//! Ids of providers that mean something in a path: whatever is listed can be acted on, the way AWS hands a path over
//! (percent-encoded) and the way other gateways do (decoded). The real binaries under a Lambda runtime.

use crate::common::{
    Answer, call, operator, ready,
    webhook::{Scene, standard},
};
use std::{collections::BTreeSet, fmt::Write, time::Duration};

use boxoffice_testkit::{events::api_event, lambda::Instance, sqs::FixedDelayQueue};
use serde_json::{Value, json};

const ADMIN: &str = env!("CARGO_BIN_EXE_admin");

/// Visible ASCII, all of it, and what is worse together.
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

/// As a client writes it into a path: everything but RFC 3986's unreserved characters.
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

/// A decision about a dispute that nobody has: it is answered by the payment that the segment means.
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

/// Payments that name a booking that is not there: their money is due back.
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
async fn every_payment_that_is_listed_can_be_settled_by_its_path_id() {
    let scene = Scene::new().await;
    let ids = odd_ids();
    let admin = due(&scene, &ids).await;
    let listed = list(&admin, "/admin/payments", "payments").await;
    assert_eq!(listed.iter().map(|p| p["payment_id"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>(), ids);
    for payment in &listed {
        let (id, path_id) = (&payment["payment_id"], payment["path_id"].as_str().unwrap());
        // No client encodes it, and no gateway changes it.
        assert_eq!(encoded(path_id), path_id, "{id}");
        let decided = decide(&admin, path_id).await;
        assert_eq!((decided.status, decided.problem()), (409, "dispute-not-lost"), "{id}: {}", decided.body);
        let settled = settle(&admin, path_id).await;
        assert_eq!((settled.status, &settled.body["payment_id"]), (200, id), "{}", settled.body);
    }
    assert!(list(&admin, "/admin/payments", "payments").await.is_empty());
}

#[tokio::test]
async fn every_payment_can_be_settled_by_its_id_as_aws_sends_it() {
    let scene = Scene::new().await;
    // What looks like a path id is one; and of a path, "." and ".." are gone before a gateway sees them.
    let ids: BTreeSet<_> = odd_ids().into_iter().filter(|id| !id.starts_with("b64.")).collect();
    let admin = due(&scene, &ids).await;
    for id in &ids {
        let settled = settle(&admin, &encoded(id)).await;
        assert_eq!((settled.status, &settled.body["payment_id"]), (200, &json!(id)), "{}", settled.body);
    }
    assert!(list(&admin, "/admin/payments", "payments").await.is_empty());
}

/// A gateway that decodes a path hands over the id itself.
#[tokio::test]
async fn every_payment_can_be_settled_by_its_id_where_the_gateway_decodes_it() {
    let scene = Scene::new().await;
    let ids: BTreeSet<_> = odd_ids().into_iter().filter(|id| !id.starts_with("b64.") && id != "a/b").collect();
    let admin = due(&scene, &ids).await;
    // Of two ids of which one is the other's encoding, the shorter one first: it is the one that the longer one may mean.
    let mut ids: Vec<_> = ids.into_iter().filter(|id| !id.starts_with("a%25") && id != "%25").collect();
    ids.sort_unstable();
    for id in &ids {
        let settled = settle(&admin, id).await;
        assert_eq!((settled.status, &settled.body["payment_id"]), (200, &json!(id)), "{}", settled.body);
    }
}

#[tokio::test]
async fn what_is_no_payments_path_is_404() {
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
async fn every_event_that_is_listed_can_be_replayed() {
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
        // The two forms by turns.
        let by_id = number % 2 == 0 && !id.starts_with("b64.");
        let segment = if by_id { encoded(id) } else { event["path_id"].as_str().unwrap().to_owned() };
        let replayed = replay(&admin, &segment).await;
        assert_eq!((replayed.status, &replayed.body["event_id"]), (200, &json!(id)), "{}", replayed.body);
    }
    assert!(list(&admin, "/admin/payments/events", "events").await.is_empty());
}
