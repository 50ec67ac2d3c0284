//! Injection of text with a meaning to a database, shell, log or browser. The API returns it unchanged or refuses it.

use boxoffice_e2e::{
    api::{Api, Call},
    database::Database,
    token::mint,
    unique,
    webhook::{standard, stripe},
};
use boxoffice_testkit::invariants::assert_invariants;
use serde_json::{Value, json};

use super::with_each;

/// Visible ASCII without spaces. These are allowed in every field.
const WORDS: [&str; 14] = [
    "';DROP/**/TABLE/**/bookings;--",
    "'||pg_sleep(10)||'",
    "1);DELETE/**/FROM/**/shows;--",
    "$1",
    "$$;SELECT/**/1;$$",
    "\\'--",
    "%27%20OR%201=1",
    "{{7*7}}${7*7}#{7*7}",
    "${jndi:ldap://127.0.0.1:9/a}",
    "`id`$(id)|id&",
    "../../../../etc/passwd",
    "<script>alert(1)</script>",
    r#""},"level":"ERROR","message":"forged"#,
    "%s%n%x{}{0}",
];

/// Texts that are allowed only in names.
const TEXTS: [&str; 9] = [
    "Robert'); DROP TABLE bookings; --",
    "' OR '1'='1",
    "=HYPERLINK(\"https://evil.example\")",
    "a\u{2028}b\u{2029}c",
    "\u{202e}txet\u{200b}",
    "Zoë Ærø 東京 🎟️ e\u{301}",
    "\u{feff}Ada",
    "a\\nb\\u0000c",
    "NULL",
];

/// Texts with control characters, which no name may have. Some readers would take them as a line break or an end of
/// text.
const CONTROLS: [&str; 7] =
    ["a\nERROR forged", "a\r\nb", "a\0b", "\u{1b}[2J\u{1b}[31mforged", "a\u{85}b", "a\tb", "\u{7f}"];

fn texts() -> impl Iterator<Item = &'static str> {
    WORDS.into_iter().chain(TEXTS)
}

/// All tables still exist, and all invariants hold.
async fn nothing_was_executed(database: &Database) {
    let sql = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'
        AND tablename IN ('shows', 'bookings', 'seat_pools', 'payments', 'payment_events')";
    let tables: i64 = database.client().query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!(tables, 5);
    assert_invariants(database.client()).await;
}

fn show_called(name: &str) -> Value {
    json!({"name": name, "start_time": "2030-05-01T18:30:00Z", "total_seats": 5})
}

async fn comes_back(text: &'static str) {
    let api = Api::connect();
    let show = api.post_json("/admin/shows", &show_called(text)).await.expect(201).clone();
    assert_eq!(show["name"], text);
    let path = format!("/shows/{}", show["show_id"]);
    assert_eq!(api.get(&path).await.expect(200)["name"], text);
    let booked = api.post_json(&format!("{path}/bookings"), &json!({"user_name": text, "seats": 1})).await;
    assert_eq!(booked.expect(201)["user_name"], text);
    assert_eq!(api.get(&booked.location()).await.expect(200)["user_name"], text);
}

async fn is_no_name(show_id: i64, text: &'static str) {
    let (api, path) = (Api::connect(), format!("/shows/{show_id}/bookings"));
    api.post_json("/admin/shows", &show_called(text)).await.problem(422, "validation-failed");
    api.post_json(&path, &json!({"user_name": text, "seats": 1})).await.problem(422, "validation-failed");
    // The name of an unknown member is returned in the error's pointer.
    let answer = api.post_json(&path, &json!({"user_name": "Ada", "seats": 1, text: 1})).await;
    answer.problem(422, "validation-failed");
    assert_eq!(answer.pointers(), [format!("/{text}")]);
}

#[tokio::test]
async fn names_are_returned_unchanged_or_refused() {
    let (api, database) = (Api::connect(), Database::connect().await);
    with_each(texts(), comes_back).await;
    let show_id = api.create_show(5).await;
    with_each(CONTROLS, |text| is_no_name(show_id, text)).await;
    assert_eq!(database.bookings(show_id).await, 0);
    nothing_was_executed(&database).await;
}

#[tokio::test]
async fn injection_in_idempotency_keys_has_no_effect() {
    let (api, database) = (Api::connect(), Database::connect().await);
    let show_id = api.create_show(100).await;
    with_each(WORDS, |key| {
        let api = api.clone();
        async move {
            let first = api.book_with_key(show_id, 1, key).await;
            let again = api.book_with_key(show_id, 1, key).await;
            assert_eq!(first.expect(201)["booking_id"], again.expect(201)["booking_id"], "{key}");
            assert_eq!(again.header("idempotency-replayed"), Some("true"));
        }
    })
    .await;
    assert_eq!(database.bookings(show_id).await, i64::try_from(WORDS.len()).unwrap());
    nothing_was_executed(&database).await;
}

#[tokio::test]
async fn injection_in_ids_and_parameters_is_refused() {
    with_each(texts().chain(CONTROLS).enumerate(), |(number, text)| is_read_or_refused(number, escaped(text))).await;
    nothing_was_executed(&Database::connect().await).await;
}

async fn is_read_or_refused(number: usize, text: String) {
    let api = Api::connect();
    for (path, parameters) in [
        ("/shows", &["cursor", "limit"][..]),
        ("/admin/payments", &["cursor", "limit", "state"]),
        ("/admin/payments/events", &["change", "cursor", "limit"]),
    ] {
        let query: Vec<_> = parameters.iter().map(|name| format!("{name}={text}")).collect();
        let answer = api.get(&format!("{path}?{}", query.join("&"))).await;
        answer.problem(400, "malformed-request");
        assert_eq!(answer.pointers(), parameters);
    }
    let paths = [
        ("GET", format!("/shows/{text}")),
        ("POST", format!("/shows/{text}/bookings")),
        ("PATCH", format!("/admin/shows/{text}")),
        ("GET", format!("/bookings/{text}")),
        ("DELETE", format!("/bookings/1-{text}")),
        ("POST", format!("/bookings/{text}/confirm")),
        ("POST", format!("/admin/payments/{text}/pi_1/settle")),
        ("POST", format!("/admin/payments/stripe/{text}/settle")),
        ("POST", format!("/admin/payments/events/stripe/{text}/replay")),
    ];
    // Each text goes to three of the nine paths, so that each path gets ten texts.
    for (method, path) in paths.iter().cycle().skip(number).step_by(3).take(3) {
        let call = Call::new(method, path).json(r#"{"user_name":"Ada","seats":1}"#);
        let (status, body) = api.send_anything(call).await;
        assert!(matches!(status, 400 | 403 | 404), "{method} {path}: {status} {body}");
    }
}

#[tokio::test]
async fn signed_events_are_stored_unchanged() {
    with_each(texts().chain(CONTROLS), is_kept).await;
    nothing_was_executed(&Database::connect().await).await;
}

/// A well-formed id of no booking.
const NOBODYS: &str = "1-019a5b7e-8f00-7abc-8def-0123456789ab";

/// An event with this text in every member, the event's id, and whether that id is valid. It also names a booking:
/// payloads that name none may be another shop's and are not stored.
fn event(text: &str) -> (Value, String, bool) {
    let id = format!("{text}{}", unique(""));
    let event = json!({"id": id, "object": "event", "type": text, "created": 1_795_375_825,
        "data": {"object": {"id": id, "object": "payment_intent", "amount_received": 1, "currency": text,
            "metadata": {"booking_id": text}, "client_reference_id": NOBODYS}}});
    (event, id, text.bytes().all(|byte| byte.is_ascii_graphic()))
}

async fn is_kept(text: &'static str) {
    let (api, database) = (Api::connect(), Database::connect().await);
    let (event, id, is_id) = event(text);
    assert_eq!(api.send(stripe(&event)).await.expect(200)["outcome"], "kept", "{text}");
    let kept = "SELECT type, payment_id FROM payment_events WHERE payload = $1";
    let kept = database.client().query_one(kept, &[&event.to_string()]).await.unwrap();
    assert_eq!(kept.get::<_, String>("type"), text.replace('\0', "\u{fffd}"));
    assert_eq!(kept.get::<_, Option<String>>("payment_id"), is_id.then_some(id.clone()));

    // A payment for an unknown booking is due to be refunded, if its payment id is valid.
    let mut paid = event;
    (paid["id"], paid["type"]) = (json!(format!("paid{id}")), json!("payment_intent.succeeded"));
    paid["data"]["object"]["currency"] = json!("eur");
    let outcome = if is_id { "refund_due" } else { "kept" };
    assert_eq!(api.send(stripe(&paid)).await.expect(200)["outcome"], outcome, "{text}");
    if is_id {
        let found = due(&api, &id).await;
        assert_eq!((&found["state"], &found["reason"]), (&json!("refund_due"), &json!("unknown_booking")));
    }

    // A signed body that the contract does not describe.
    let other =
        json!({"type": text, "timestamp": text, "data": {"payment_id": id, "booking_id": text, "amount": text}});
    let (status, outcome) = api.send_anything(standard(&unique("msg"), &other)).await;
    assert_eq!((status, outcome.as_str()), (200, r#"{"outcome":"kept"}"#), "{text}");
}

/// Finds a payment in the operators' list.
async fn due(api: &Api, payment_id: &str) -> Value {
    let mut cursor = String::new();
    loop {
        let page = api.get(&format!("/admin/payments?limit=100{cursor}")).await.expect(200).clone();
        if let Some(found) = page["payments"].as_array().unwrap().iter().find(|p| p["payment_id"] == payment_id) {
            return found.clone();
        }
        let next = page["next_cursor"].as_str().unwrap_or_else(|| panic!("{payment_id} is not listed"));
        cursor = format!("&cursor={next}");
    }
}

fn book(show_id: i64) -> Call {
    Call::new("POST", &format!("/shows/{show_id}/bookings")).json(r#"{"user_name":"Ada","seats":1}"#)
}

/// The subject's booking is stored under exactly this subject, and only this subject can read it.
async fn is_one_subject(show_id: i64, subject: &'static str) {
    let (api, database) = (Api::connect(), Database::connect().await);
    let booked = api.send(book(show_id).token(&mint(subject, ""))).await;
    booked.expect(201);
    let holder = "SELECT count(*) FROM bookings WHERE show_id = $1 AND holder = 'sub:' || $2";
    let rows: i64 = database.client().query_one(holder, &[&show_id, &subject]).await.unwrap().get(0);
    assert_eq!(rows, 1, "{subject}");
    for reader in [subject, "%", "_"] {
        let path = &booked.location();
        let answer = api.send(Call::new("GET", path).token(&mint(reader, ""))).await;
        assert_eq!(answer.status(), if reader == subject { 200 } else { 404 }, "{subject} {reader}");
    }
}

#[tokio::test]
async fn injection_in_subjects_has_no_effect() {
    let (api, database) = (Api::connect(), Database::connect().await);
    let show_id = api.create_show(100).await;
    let _kept = Database::keep_holds(show_id).await;
    with_each(texts(), |subject| is_one_subject(show_id, subject)).await;
    for subject in CONTROLS {
        api.send(book(show_id).token(&mint(subject, ""))).await.problem(401, "unauthorized");
    }
    nothing_was_executed(&database).await;
}

/// Percent-encodes every byte but ASCII letters and digits.
fn escaped(text: &str) -> String {
    let byte =
        |byte: u8| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(byte).collect()
}
