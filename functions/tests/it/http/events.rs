//! Malformed headers, paths, queries, bodies and events. Runs the real binaries in a Lambda runtime.

use crate::common::{Answer, book, booking, call, ready, show};
use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use boxoffice_testkit::{events::api_event, lambda::Instance, postgres::Database, sqs::FixedDelayQueue};
use bytes::Bytes;
use serde_json::{Value, json};

/// Values that a client may send in a header but that are invalid in a URL.
const NASTY: [&str; 24] = [
    "https,http",
    "https, http",
    "",
    " ",
    "1http",
    "ht tp",
    "http://",
    "\u{0}",
    "\u{7f}\r\n",
    "[::1",
    "[::1:80",
    "example.com:99999",
    "example.com:port",
    "exa mple.com",
    "<script>",
    "a@b@c",
    "@",
    ":",
    "://",
    "%",
    "%zz",
    "xn--a",
    "\u{202e}\u{fffd}é☃",
    "\u{10ffff}",
];

const HEADERS: [&str; 10] = [
    "Host",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Forwarded-For",
    "Forwarded",
    "Cookie",
    "Content-Length",
    "X-Amzn-Trace-Id",
    "x y\u{e9}\n",
];

async fn list_shows(database: &Database) -> Instance {
    ready(Instance::builder(env!("CARGO_BIN_EXE_list-shows")).env("DATABASE_URL", database.url())).await
}

#[tokio::test]
async fn malformed_headers_do_not_panic() {
    let database = Database::create().await;
    show(&database).await;
    let instance = list_shows(&database).await;
    for name in HEADERS {
        for value in NASTY {
            let event = api_event("GET", "/shows", &[], &[], &[(name, value), (name, "x")], None);
            assert_eq!(call(&instance, &event).await.status, 200, "{name}: {value:?}");
            let mut event = api_event("GET", "/shows", &[], &[], &[(name, value)], None);
            assert_eq!(call(&instance, &event).await.status, 200, "{name}: {value:?}");
            // A gateway that sends headers in one place only.
            event["multiValueHeaders"] = Value::Null;
            assert_eq!(call(&instance, &event).await.status, 200, "{name}: {value:?}");
        }
    }
    assert!(!instance.stdout().contains("panic") && !instance.stderr().contains("panic"), "{}", instance.stderr());
}

#[tokio::test]
async fn malformed_paths_and_queries_do_not_panic() {
    let database = Database::create().await;
    show(&database).await;
    let instance = list_shows(&database).await;
    for value in NASTY {
        let event = api_event("GET", "/shows/{show_id}", &[("show_id", value)], &[], &[("Host", value)], None);
        let answer = call(&instance, &event).await;
        assert_eq!((answer.status, answer.problem()), (404, "show-not-found"), "{value:?}");
        for name in ["limit", "cursor"] {
            let answer = call(&instance, &api_event("GET", "/shows", &[], &[(name, value)], &[], None)).await;
            assert_eq!((answer.status, answer.problem()), (400, "malformed-request"), "{name}={value:?}");
        }
        for place in ["path", "resource", "stage"] {
            let mut event = api_event("GET", "/shows", &[], &[], &[("Host", "example.com")], None);
            event[place] = json!(value);
            event["requestContext"][place] = json!(value);
            assert_eq!(call(&instance, &event).await.status, 200, "{place}: {value:?}");
        }
    }
}

#[tokio::test]
async fn malformed_bodies_do_not_panic() {
    let database = Database::create().await;
    show(&database).await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let instance = ready(book(&database.url(), &queue.endpoint(), &queue.queue_url())).await;
    for value in NASTY.into_iter().chain(["e30", "e30=", "////", "\u{fffd}"]) {
        for is_base64 in [true, false] {
            let mut event = booking(1, &[("Host", value), ("X-Forwarded-Proto", value)]);
            event["body"] = json!(value);
            event["isBase64Encoded"] = json!(is_base64);
            let answer = call(&instance, &event).await;
            assert!((400..500).contains(&answer.status), "{value:?}: {} {}", answer.status, answer.body);
        }
    }
    assert_eq!(call(&instance, &booking(1, &[("X-Forwarded-Proto", "https,http")])).await.status, 201);
}

/// Events that the gateway would not send are refused, and the instance survives.
#[tokio::test]
async fn malformed_events_get_a_response() {
    let database = Database::create().await;
    show(&database).await;
    let instance = list_shows(&database).await;
    for (event, status) in [
        (&b"{}"[..], 404),
        (b"[]", 404),
        (b"null", 400),
        (b"7", 400),
        (b"\"\"", 400),
        (br#"{"path":"\ud800"}"#, 400),
        (br#"{"headers":[]}"#, 400),
        (br#"{"httpMethod":7}"#, 400),
        (br#"{"body":{}}"#, 400),
        (br#"{"requestContext":{"identity":7}}"#, 400),
        (br#"{"headers":null,"body":null,"requestContext":null}"#, 404),
    ] {
        let answer = instance.invoke_bytes(Bytes::from_static(event)).await.unwrap();
        let answer = Answer::of(serde_json::from_slice(&answer).unwrap());
        assert_eq!(answer.status, status, "{}", String::from_utf8_lossy(event));
    }
    assert_eq!(call(&instance, &api_event("GET", "/shows", &[], &[], &[], None)).await.status, 200);
}

/// The event with a body of raw bytes, as the gateway passes them.
fn bytes(mut event: Value, body: &[u8]) -> Value {
    event["body"] = json!(STANDARD.encode(body));
    event["isBase64Encoded"] = json!(true);
    event
}

#[tokio::test]
async fn body_that_is_not_utf_8_is_refused() {
    let database = Database::create().await;
    show(&database).await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let instance = ready(book(&database.url(), &queue.endpoint(), &queue.queue_url())).await;
    let in_latin_1 = b"{\"user_name\": \"Jos\xe9\", \"seats\": 1}";
    let in_utf_8 = "{\"user_name\": \"Jos\u{e9} \u{fffd}\", \"seats\": 1}".as_bytes();
    let answer = call(&instance, &bytes(booking(1, &[]), in_latin_1)).await;
    assert_eq!((answer.status, answer.problem()), (400, "malformed-json"));
    for charset in ["iso-8859-1", "\"Latin1\"", "utf-16", "utf-8; charset=iso-8859-1"] {
        for body in [&in_latin_1[..], in_utf_8] {
            let mut event = bytes(booking(1, &[]), body);
            event["headers"]["Content-Type"] = json!(format!("application/json; charset={charset}"));
            event["multiValueHeaders"]["Content-Type"] = json!([event["headers"]["Content-Type"]]);
            let answer = call(&instance, &event).await;
            assert_eq!((answer.status, answer.problem()), (415, "unsupported-media-type"), "{charset}");
        }
    }
    let answer = call(&instance, &bytes(booking(1, &[("Content-Encoding", "gzip")]), in_utf_8)).await;
    assert_eq!((answer.status, answer.problem()), (415, "unsupported-media-type"));
    let answer = call(&instance, &bytes(booking(1, &[]), in_utf_8)).await;
    assert_eq!((answer.status, &answer.body["user_name"]), (201, &json!("Jos\u{e9} \u{fffd}")));
}
