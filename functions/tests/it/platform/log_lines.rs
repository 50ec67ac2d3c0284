//! Clients cannot forge log lines, whatever they send. Tested with the most verbose level, as JSON and as text.

use crate::common::{book, bookings_of, webhook};
use std::time::Duration;

use boxoffice_functions::routes::ROUTES;
use boxoffice_testkit::{
    events::{api_event, with_token},
    issuer::Issuer,
    lambda::{Builder, Instance},
    postgres::Database,
    sqs::FixedDelayQueue,
};
use serde_json::{Value, json};

/// The marker of a forged line. It appears nowhere else.
const MARK: &str = "zq-forged";

/// The prefixes of lines in text format.
const BEGINNINGS: [&str; 5] = ["ERROR ", " WARN ", " INFO ", "DEBUG ", "TRACE "];

/// Texts that would start a new line or end a JSON string if they were logged without escaping.
fn forged() -> [String; 5] {
    [
        format!("x\n{MARK}"),
        format!("x\r\n{{\"level\":\"ERROR\",\"fields\":{{\"message\":\"{MARK}\"}}}}"),
        format!("x\"}},\"level\":\"ERROR\",\"{MARK}\":{{\""),
        format!("\u{1b}[2K\r{MARK}\u{85}{MARK}\u{2028}{MARK}"),
        format!("x\0\\\n{MARK}\\u000a{MARK}"),
    ]
}

/// Requests to each route with this text in every place that takes text.
fn requests(text: &str) -> Vec<Value> {
    let names = ["show_id", "booking_id", "provider", "payment_id", "event_id"];
    let path: Vec<_> = names.iter().map(|name| (*name, text)).collect();
    let query = ["limit", "cursor", "state", "change", text].map(|name| (name, text));
    let body = json!({"user_name": text, "seats": text, text: text, "name": text, "start_time": text}).to_string();
    let mut requests = Vec::new();
    for route in ROUTES {
        for body in [body.as_str(), text, &format!("\"{text}\"")] {
            let headers = [("Content-Type", "application/json"), ("X-Note", MARK)];
            let event = api_event(route.method, route.path, &path, &query, &headers, Some(body));
            let mut keyed = event.clone();
            keyed["headers"]["Idempotency-Key"] = json!(MARK);
            keyed["requestContext"]["identity"]["sourceIp"] = json!(text);
            keyed["requestContext"]["identity"]["userAgent"] = json!(text);
            requests.extend([with_token(event, text, text), with_token(keyed, MARK, "shows:write payments:settle")]);
        }
    }
    requests
}

/// Starts the binary with verbose logs, sends all events, and checks each line that it logged.
async fn holds_its_lines(name: &str, builder: impl Fn() -> Builder, events: &[Value], says: &str) {
    for format in ["JSON", "TEXT"] {
        let builder = builder().env("AWS_LAMBDA_LOG_LEVEL", "DEBUG").env("AWS_LAMBDA_LOG_FORMAT", format);
        let instance: Instance = builder.start().await;
        instance.ready().await.unwrap();
        for event in events {
            // Other tests check the answers.
            let _ = instance.invoke(event).await;
        }
        assert!(instance.logged(says).await, "{name}: {}", instance.stdout());
        for line in instance.stdout().lines() {
            assert!(is_ours(format, line), "{name} {format}: {line:?}");
        }
    }
}

/// Whether a line is the function's own: a JSON object without the forged member, or a known prefix; no control
/// characters.
fn is_ours(format: &str, line: &str) -> bool {
    let has_form = match format {
        "JSON" => serde_json::from_str::<Value>(line).is_ok_and(|line| line.is_object() && line.get(MARK).is_none()),
        _ => BEGINNINGS.iter().any(|beginning| line.starts_with(beginning)) || is_metric(line),
    };
    has_form && !line.contains(char::is_control)
}

/// Whether a line is a metric. Metrics are JSON objects in both formats.
fn is_metric(line: &str) -> bool {
    serde_json::from_str::<Value>(line).is_ok_and(|line| line.get("_aws").is_some())
}

fn events() -> Vec<Value> {
    forged().iter().flat_map(|text| requests(text)).collect()
}

#[tokio::test]
async fn client_input_cannot_forge_log_lines() {
    let database = Database::create().await;
    crate::common::show(&database).await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let (url, endpoint, queue_url) = (database.url(), queue.endpoint(), queue.queue_url());
    let plain = |binary| Instance::builder(binary).env("DATABASE_URL", &url).env("AWS_ENDPOINT_URL", &endpoint);
    let says = "refused a request";
    let events = events();
    holds_its_lines("book", || book(&url, &endpoint, &queue_url), &events, says).await;
    holds_its_lines("bookings", || bookings_of(&url), &events, says).await;
    holds_its_lines("confirm", || webhook::confirm(&url, &endpoint, &queue_url), &events, says).await;
    holds_its_lines("list-shows", || plain(env!("CARGO_BIN_EXE_list-shows")), &events, says).await;
    holds_its_lines("admin", || plain(env!("CARGO_BIN_EXE_admin")), &events, says).await;
}

/// A valid signature does not help: the text is still escaped.
#[tokio::test]
async fn signed_webhook_cannot_forge_log_lines() {
    let scene = webhook::Scene::new().await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let mut events = Vec::new();
    for text in forged() {
        let event = json!({"id": text, "type": text, "created": 1, "data": {"object": {"id": text, "object": text,
            "metadata": {"booking_id": text}, "currency": text, "amount_received": 1}}});
        events.extend([webhook::stripe(&event.to_string()), webhook::standard(&text, &event.to_string())]);
    }
    let builder = || scene.confirm(&queue.endpoint(), &queue.queue_url());
    holds_its_lines("confirm", builder, &events, "cannot be read").await;
}

#[tokio::test]
async fn token_cannot_forge_log_lines() {
    let issuer = Issuer::start().await;
    let claims = |text: &str| {
        let mut claims = issuer.claims(text, text);
        (claims["sub"], claims["iss"]) = (json!(text), json!(text));
        claims
    };
    let mut events = Vec::new();
    for text in forged() {
        let header = json!({"alg": text, "kid": text, "typ": text, text.as_str(): text});
        let named = json!({"alg": "RS256", "kid": text});
        for bearer in [
            text.clone(),
            format!("Bearer {text}"),
            format!("Bearer {}", issuer.rsa.token(&claims(&text))),
            format!("Bearer {}", issuer.rsa.token_with(&header, &claims(&text))),
            format!("Bearer {}", issuer.rsa.token_with(&named, &claims(&text))),
        ] {
            let mut event = api_event("POST", "/admin/shows", &[], &[], &[("Authorization", &bearer)], None);
            event["type"] = json!("REQUEST");
            event["methodArn"] = json!("arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/v1/POST/admin/shows");
            events.push(event);
        }
    }
    let builder = || {
        let builder = Instance::builder(env!("CARGO_BIN_EXE_authorize"));
        builder.env("OIDC_ISSUER", issuer.url()).env("OIDC_AUDIENCE", "boxoffice")
    };
    holds_its_lines("authorize", builder, &events, "refused a call").await;
}

/// `is_ours` detects text that was logged without escaping.
#[test]
fn line_check_detects_forged_lines() {
    for text in forged() {
        let json = |message: &str| format!("{{\"level\":\"INFO\",\"fields\":{{\"message\":\"{message}\"}}}}");
        let ours = |format, lines: &str| lines.lines().all(|line| is_ours(format, line));
        assert!(!ours("JSON", &json(&text)), "{text:?}");
        let escaped = json!(text).to_string();
        assert!(ours("JSON", &json(&escaped[1..escaped.len() - 1])) || text.contains('\u{85}'), "{text:?}");
        let is_one_line = !text.contains(char::is_control);
        assert_eq!(ours("TEXT", &format!(" INFO {text}")), is_one_line, "{text:?}");
    }
}
