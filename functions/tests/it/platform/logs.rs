//! The API's binaries log no personal data, at the most verbose level, in success and failure.

use crate::common::{
    self, Answer, TIMEOUT, book, bookings_of, call,
    webhook::{STANDARD_SECRET, STRIPE_SECRET, Scene, confirm, standard, stripe, stripe_by, stripe_event},
};
use std::time::Duration;

use boxoffice_testkit::{
    events::{api_event, from_address, with_token},
    lambda::{Builder, Instance},
    postgres::{Database, Options, Server, Stop},
    sqs::FixedDelayQueue,
};
use serde_json::{Value, json};

// Personal data of the tests' user. Each value appears nowhere else.
const NAME: &str = "Zebulon Quagmire-Xylander";
const SUBJECT: &str = "oidc|zq-subject-7f3a";
const KEY: &str = "zq-key-91c4";
const ADDRESS: &str = "198.51.100.77";
const TOKEN: &str = "zq-token-c0ffee";
const EMAIL: &str = "zq.payer@xylander.example";
const PAYER: &str = "Zebediah Payerson";
/// Sent where no personal data belongs: as a member's name, a value of the wrong type, a cursor.
const STRAY: &str = "zq-stray";

/// Texts that must not appear in the logs.
const PRIVATE: [&str; 10] = [NAME, SUBJECT, KEY, ADDRESS, TOKEN, EMAIL, PAYER, STRAY, "zq-", STRIPE_SECRET];

/// An AWS endpoint that does not answer.
const NOWHERE: &str = "http://127.0.0.1:9";

/// Starts a binary with the most verbose logs, in this format.
async fn start(builder: Builder, format: &str) -> Instance {
    let builder = builder.env("AWS_LAMBDA_LOG_LEVEL", "TRACE").env("AWS_LAMBDA_LOG_FORMAT", format);
    let instance = builder.timeout(TIMEOUT).start().await;
    instance.ready().await.unwrap();
    instance
}

/// A request with this user's token, key and address.
fn request(method: &str, resource: &str, path: &[(&str, &str)], query: &[(&str, &str)], body: Option<&str>) -> Value {
    let bearer = format!("Bearer {TOKEN}");
    let headers = [
        ("Content-Type", "application/json"),
        ("Authorization", bearer.as_str()),
        ("Idempotency-Key", KEY),
        ("X-Forwarded-For", ADDRESS),
    ];
    from_address(api_event(method, resource, path, query, &headers, body), ADDRESS)
}

fn with_scopes(event: Value) -> Value {
    with_token(
        event,
        SUBJECT,
        "shows:write bookings:read bookings:confirm payments:read payments:settle subjects:erase",
    )
}

fn booking(body: &str) -> Value {
    request("POST", "/shows/{show_id}/bookings", &[("show_id", "1")], &[], Some(body))
}

fn of_booking(method: &str, action: &str, id: &str) -> Value {
    request(method, &format!("/bookings/{{booking_id}}{action}"), &[("booking_id", id)], &[], None)
}

fn seats(seats: i32) -> String {
    json!({ "user_name": NAME, "seats": seats }).to_string()
}

/// Makes a last call, waits for its log line, and asserts that no line contains personal data.
async fn assert_logged_nothing_private(instance: &Instance) {
    let last = call(instance, &request("GET", "/nowhere", &[], &[("q", STRAY)], None)).await;
    assert_eq!(last.status, 404);
    assert!(instance.logged("route-not-found").await, "{}", instance.stdout());
    let said = instance.stdout() + &instance.stderr();
    // Guard against passing on an empty log.
    assert!(said.contains("DEBUG") && said.contains("refused a request"), "{said}");
    for private in PRIVATE {
        if let Some(line) = said.lines().find(|line| line.contains(private)) {
            panic!("{private:?} is in the log: {line}");
        }
    }
}

async fn statuses(instance: &Instance, events: impl IntoIterator<Item = Value>) -> Vec<u64> {
    let mut statuses = Vec::new();
    for event in events {
        let Answer { status, .. } = call(instance, &event).await;
        statuses.push(status);
    }
    statuses
}

/// Sends events that are not requests. The process survives, and the caller checks what was logged about them.
async fn send_invalid_events(instance: &Instance) {
    let plain = json!({ "user_name": NAME, "email": EMAIL });
    let mut odd = booking(&seats(1));
    odd["requestContext"]["identity"] = json!(STRAY);
    for event in [plain, json!(NAME), json!([EMAIL]), odd] {
        let _ = instance.invoke(&event).await;
    }
}

#[tokio::test]
async fn book_logs_no_personal_data() {
    for format in ["JSON", "TEXT"] {
        let server = Server::start(&Options::fast());
        let database = server.create_database().await;
        common::show(&database).await;
        let queue = FixedDelayQueue::start(Duration::ZERO).await;
        let of =
            |endpoint: &str| book(&database.url(), endpoint, &format!("{endpoint}/holds")).env("MAX_UNPAID_HOLDS", "0");
        let instance = start(of(&queue.endpoint()), format).await;
        let mine = |body: &str| with_token(booking(body), SUBJECT, "");
        let partner = |body: &str| {
            let path = "/partner/shows/{show_id}/bookings";
            let mut event = request("POST", path, &[("show_id", "1")], &[], Some(body));
            event["requestContext"]["identity"]["apiKeyId"] = json!(STRAY);
            event
        };
        // New, replayed, key reused; then by address, and by a partner.
        let events = [mine(&seats(2)), mine(&seats(2)), mine(&seats(3)), booking(&seats(2)), partner(&seats(2))];
        assert_eq!(statuses(&instance, events).await, [201, 201, 422, 201, 201]);
        let keyless = |seats: i32| {
            let mut event = mine(&self::seats(seats));
            event["headers"]["Idempotency-Key"] = json!("zq-key-other");
            event["multiValueHeaders"]["Idempotency-Key"] = json!(["zq-key-other"]);
            event
        };
        assert_eq!(statuses(&instance, [keyless(9)]).await, [409]);
        let refused = [
            mine(&format!(r#"{{"user_name": "{NAME}", "seats": 1, "{STRAY}": "{EMAIL}"}}"#)),
            mine(&format!(r#"{{"user_name": ["{NAME}"], "seats": "{STRAY}"}}"#)),
            mine(&format!(r#""{NAME}""#)),
            mine(&format!(r#"{{"user_name": "{NAME}", "#)),
            request("POST", "/shows/{show_id}/bookings", &[("show_id", STRAY)], &[], Some(&seats(1))),
        ];
        assert_eq!(statuses(&instance, refused).await, [422, 422, 400, 400, 404]);
        send_invalid_events(&instance).await;

        // Postgres quotes the refused row in its error.
        let client = database.client().await;
        let forbid = format!("ALTER TABLE bookings ADD CONSTRAINT nobody CHECK (user_name <> '{NAME}') NOT VALID");
        client.batch_execute(&forbid).await.unwrap();
        assert_eq!(statuses(&instance, [keyless(1)]).await, [500]);
        client.batch_execute("ALTER TABLE bookings DROP CONSTRAINT nobody").await.unwrap();
        // A lock timeout.
        let holder = database.admin_client().await;
        holder.batch_execute("BEGIN; SELECT FROM seat_pools FOR UPDATE").await.unwrap();
        assert_eq!(statuses(&instance, [keyless(1)]).await, [503]);
        holder.batch_execute("COMMIT").await.unwrap();
        // The holder must wait because too many of its holds expired.
        let late =
            "UPDATE bookings SET created_at = created_at - interval '1 hour', expires_at = now() - interval '1 minute',
            status = 'FAILED', failure_reason = 'expired', settled_at = now()";
        client.batch_execute(late).await.unwrap();
        assert_eq!(statuses(&instance, [keyless(1)]).await, [429]);
        // No queue, then no database either.
        let alone = start(of(NOWHERE), format).await;
        let other = with_token(booking(&seats(1)), "oidc|zq-other", "");
        assert_eq!(statuses(&alone, [other.clone()]).await, [201]);
        drop((client, holder));
        server.stop(Stop::Immediate).await;
        assert_eq!(statuses(&alone, [other.clone()]).await, [503]);
        assert_eq!(statuses(&instance, [other]).await, [503]);
        assert_logged_nothing_private(&instance).await;
        assert_logged_nothing_private(&alone).await;
    }
}

/// An event's body with the personal data that a provider may include.
fn paid(scene: &Scene, number: u32) -> String {
    let intent = json!({
        "id": format!("pi_{number}"), "object": "payment_intent", "amount": 5000, "amount_received": 5000,
        "currency": "eur", "metadata": { "booking_id": scene.booking.to_string() }, "receipt_email": EMAIL,
        "charges": { "data": [{ "billing_details": { "name": PAYER, "email": EMAIL } }] },
    });
    stripe_event(&format!("evt_{number}"), "payment_intent.succeeded", &intent)
}

/// Assigns the scene's booking to this user.
async fn hold(scene: &Scene) {
    let held = "UPDATE bookings SET user_name = $1, holder = $2, idempotency_key = $3";
    let (holder, key) = (format!("sub:{SUBJECT}"), format!("sub:{SUBJECT} {KEY}"));
    scene.client.execute(held, &[&NAME, &holder, &key]).await.unwrap();
}

#[tokio::test]
async fn bookings_logs_no_personal_data() {
    for format in ["JSON", "TEXT"] {
        let server = Server::start(&Options::fast());
        let scene = Scene::on(server.create_database().await).await;
        let instance = start(bookings_of(&scene.database.url()), format).await;
        let id = scene.booking.to_string();
        hold(&scene).await;
        // The holder; no token; another user; an operator who may read all bookings.
        let mine = |event: Value| with_token(event, SUBJECT, "");
        let see = || of_booking("GET", "", &id);
        let seen = [mine(see()), see(), with_token(see(), "zq-other", ""), with_scopes(see())];
        assert_eq!(statuses(&instance, seen).await, [200, 404, 404, 200]);
        let changed = [
            mine(of_booking("POST", "/extend", &id)),
            of_booking("DELETE", "", &id),
            mine(of_booking("GET", "", STRAY)),
            mine(of_booking("DELETE", "", &id)),
            mine(of_booking("POST", "/extend", &id)),
        ];
        assert_eq!(statuses(&instance, changed).await, [200, 404, 404, 200, 409]);
        send_invalid_events(&instance).await;
        server.stop(Stop::Immediate).await;
        assert_eq!(statuses(&instance, [mine(see())]).await, [503]);
        assert_logged_nothing_private(&instance).await;
    }
}

#[tokio::test]
async fn confirm_logs_no_personal_data() {
    for format in ["JSON", "TEXT"] {
        let server = Server::start(&Options::fast());
        let scene = Scene::on(server.create_database().await).await;
        let queue = FixedDelayQueue::start(Duration::ZERO).await;
        let instance = start(scene.confirm(&queue.endpoint(), &queue.queue_url()), format).await;
        let id = scene.booking.to_string();
        hold(&scene).await;
        let confirmed =
            [of_booking("POST", "/confirm", &id), with_token(of_booking("POST", "/confirm", &id), SUBJECT, "")];
        assert_eq!(statuses(&instance, confirmed).await, [401, 403]);
        let body = paid(&scene, 1);
        let unreadable =
            format!(r#"{{"id": "evt_9", "type": "payment_intent.succeeded", "data": "{EMAIL}", "name": "{PAYER}""#);
        let own =
            json!({ "type": "payment.failed", "timestamp": "soon", "data": { "payment_id": "p", "email": EMAIL } });
        let webhooks = [
            stripe(&body),
            stripe(&body),
            stripe_by("whsec_zq-wrong", &body),
            stripe(&unreadable),
            stripe(EMAIL),
            standard("msg_1", &own.to_string()),
        ];
        assert_eq!(statuses(&instance, webhooks).await, [200, 200, 401, 200, 200, 200]);
        assert_eq!(statuses(&instance, [with_scopes(of_booking("POST", "/confirm", &id))]).await, [200]);
        send_invalid_events(&instance).await;

        let alone = start(confirm(&scene.database.url(), NOWHERE, &format!("{NOWHERE}/payments")), format).await;
        server.stop(Stop::Immediate).await;
        // The event goes to the queue; without a queue it is refused.
        let confirm_again = with_scopes(of_booking("POST", "/confirm", &id));
        assert_eq!(statuses(&instance, [stripe(&paid(&scene, 2)), confirm_again]).await, [200, 503]);
        assert_eq!(statuses(&alone, [stripe(&paid(&scene, 3))]).await, [503]);
        assert_logged_nothing_private(&instance).await;
        assert_logged_nothing_private(&alone).await;
        assert!(!(instance.stdout() + &alone.stdout()).contains(STANDARD_SECRET));
    }
}

#[tokio::test]
async fn admin_logs_no_personal_data() {
    for format in ["JSON", "TEXT"] {
        let server = Server::start(&Options::fast());
        let scene = Scene::on(server.create_database().await).await;
        let held = "UPDATE bookings SET user_name = $1, holder = $2";
        scene.client.execute(held, &[&NAME, &format!("sub:{SUBJECT}")]).await.unwrap();
        let event = "INSERT INTO payment_events (provider, event_id, type, show_id, booking_id, occurred_at, change, outcome, payload)
            SELECT 'stripe', 'evt_1', 't', show_id, id, now(), 'other', 'kept', $1 FROM bookings";
        scene.client.execute(event, &[&EMAIL]).await.unwrap();
        let builder = Instance::builder(env!("CARGO_BIN_EXE_admin")).env("DATABASE_URL", scene.database.url());
        let instance = start(builder, format).await;
        let path = "/admin/subjects/bookings";
        let ask = |method: &str, query: &[(&str, &str)]| request(method, path, &[], query, None);
        let who = [("subject", SUBJECT)];
        let export = call(&instance, &with_scopes(ask("GET", &who))).await;
        assert!(
            export.status == 200 && export.body.to_string().contains(NAME) && export.body.to_string().contains(EMAIL)
        );
        let events = [
            ask("GET", &who),
            with_token(ask("DELETE", &who), SUBJECT, "bookings:read"),
            with_scopes(ask("GET", &[("subject", SUBJECT), ("cursor", STRAY)])),
            with_scopes(ask("DELETE", &[("subject", SUBJECT), ("subject", EMAIL)])),
            with_scopes(ask("DELETE", &who)),
            with_scopes(ask("DELETE", &who)),
            with_scopes(request(
                "POST",
                "/admin/shows",
                &[],
                &[],
                Some(&format!(r#"{{"name": 7, "{STRAY}": "{EMAIL}"}}"#)),
            )),
        ];
        assert_eq!(statuses(&instance, events).await, [401, 403, 400, 400, 200, 200, 422]);
        send_invalid_events(&instance).await;
        server.stop(Stop::Immediate).await;
        let down = [with_scopes(ask("GET", &who)), with_scopes(ask("DELETE", &who))];
        assert_eq!(statuses(&instance, down).await, [503, 503]);
        assert_logged_nothing_private(&instance).await;
    }
}

#[tokio::test]
async fn list_shows_logs_no_personal_data() {
    let database = Database::create().await;
    common::show(&database).await;
    let builder = Instance::builder(env!("CARGO_BIN_EXE_list-shows")).env("DATABASE_URL", database.url());
    let instance = start(builder, "JSON").await;
    let events = [request("GET", "/shows", &[], &[], None), request("GET", "/shows", &[], &[("cursor", STRAY)], None)];
    assert_eq!(statuses(&instance, events).await, [200, 400]);
    send_invalid_events(&instance).await;
    assert_logged_nothing_private(&instance).await;
}
