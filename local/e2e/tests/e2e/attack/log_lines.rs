//! Log injection: no client can forge a line in the functions' log, as `make logs` shows it in the local cloud.
//! `functions/tests/it/platform/log_lines.rs` tests the same for each binary, at the lowest log level and in JSON.

use std::{process::Stdio, time::Duration};

use boxoffice_e2e::{
    api::{Api, Call},
    setting, token, unique,
    webhook::{standard, stripe},
};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
    time::timeout,
};

/// The time limit for the log's lines to appear, with room for a slow machine.
const LIMIT: Duration = Duration::from_secs(60);

/// The allowed beginnings of a line: the platform's words, a metric, or a log level.
const BEGINNINGS: [&str; 9] = [
    "START RequestId: ",
    "END RequestId: ",
    "REPORT RequestId: ",
    "{\"",
    " INFO ",
    " WARN ",
    "ERROR ",
    "DEBUG ",
    "TRACE ",
];

/// Texts that would forge a line if the log did not escape line breaks.
fn forged(mark: &str) -> [String; 4] {
    [
        format!("x\nERROR {mark} forged"),
        format!("x\r\n{{\"level\":\"ERROR\",\"{mark}\":1}}"),
        format!("x\u{85}{mark}\u{2028}{mark}"),
        format!("\u{1b}[2K\r{mark}"),
    ]
}

/// Sends the forged texts in every field that could reach the log.
async fn attack(mark: &str) {
    let api = Api::connect();
    let show_id = api.create_show(5).await;
    for text in forged(mark) {
        let escaped: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let body = json!({"user_name": text, "seats": text, text.as_str(): text}).to_string();
        let event =
            json!({"id": text, "type": text, "data": {"object": {"id": text, "metadata": {"booking_id": text}}}});
        for call in [
            Call::new("POST", &format!("/shows/{show_id}/bookings")).json(body.clone()),
            Call::new("POST", &format!("/shows/{show_id}/bookings")).json(format!("\"{text}\"")),
            Call::new("POST", "/admin/shows").json(body),
            Call::new("GET", &format!("/bookings/{escaped}")).token(&token::mint(&text, &text)),
            Call::new("GET", &format!("/shows?limit={escaped}&cursor={escaped}")),
            Call::new("GET", &format!("/admin/payments?state={escaped}")),
            Call::new("POST", &format!("/admin/payments/events/stripe/{escaped}/replay")),
            Call::new("POST", "/admin/shows").token(&token::key().token(&json!({"iss": text, "sub": text}))),
            stripe(&event),
            standard(&unique("msg"), &event),
        ] {
            let (status, body) = api.send_anything(call).await;
            assert!(status < 500, "{status} {body}");
        }
    }
}

#[tokio::test]
async fn no_client_can_forge_a_log_line() {
    let mark = unique("forged");
    attack(&mark).await;
    // The last event's id appears in the log, and marks the end of what this test reads.
    let id = unique("evt");
    let odd = json!({"id": id, "type": "charge.refunded", "data": {"object": {"refunded": "maybe"}}});
    Api::connect().send(stripe(&odd)).await.expect(200);
    let mut logs = Command::new(setting::root().join("local/logs.sh"))
        .stdout(Stdio::piped())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(logs.stdout.take().unwrap()).lines();
    let look = async {
        let (mut looked_at, mut last) = (0, false);
        while !last {
            let line = lines.next_line().await.unwrap().expect("the log ended");
            let (_, message) =
                line.split_once(": ").unwrap_or_else(|| panic!("a line without a function's name: {line}"));
            assert!(BEGINNINGS.iter().any(|beginning| message.starts_with(beginning)), "{line:?}");
            assert!(!message.starts_with(&format!("ERROR {mark}")) && !message.starts_with("{\"level\""), "{line:?}");
            assert!(!line.contains(char::is_control) || message.starts_with("REPORT "), "{line:?}");
            looked_at += 1;
            last = message.contains(&id);
        }
        looked_at
    };
    let looked_at = timeout(LIMIT, look).await.expect("the log does not name the last event");
    assert!(looked_at > 20, "{looked_at} lines");
}
