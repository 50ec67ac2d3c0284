//! Who somebody is stands in no line that the API's binaries write, at the lowest level there is, whatever happens.

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

/// What stands for a person in these tests. Each is found nowhere else.
const NAME: &str = "Zebulon Quagmire-Xylander";
const SUBJECT: &str = "oidc|zq-subject-7f3a";
const KEY: &str = "zq-key-91c4";
const ADDRESS: &str = "198.51.100.77";
const TOKEN: &str = "zq-token-c0ffee";
const EMAIL: &str = "zq.payer@xylander.example";
const PAYER: &str = "Zebediah Payerson";
/// In a place where nothing of the kind belongs: a member's name, a value of the wrong type, a cursor.
const STRAY: &str = "zq-stray";

const TELLING: [&str; 10] = [NAME, SUBJECT, KEY, ADDRESS, TOKEN, EMAIL, PAYER, STRAY, "zq-", STRIPE_SECRET];

/// An endpoint of AWS where nobody answers.
const NOWHERE: &str = "http://127.0.0.1:9";

/// A binary that logs all that it can, in one of the two forms.
async fn start(builder: Builder, format: &str) -> Instance {
    let builder = builder.env("AWS_LAMBDA_LOG_LEVEL", "TRACE").env("AWS_LAMBDA_LOG_FORMAT", format);
    let instance = builder.timeout(TIMEOUT).start().await;
    instance.ready().await.unwrap();
    instance
}

/// A request of this person's.
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

/// Makes the last call, waits until its line is there, and looks for the person in all lines before it.
async fn told_nothing(instance: &Instance) {
    let last = call(instance, &request("GET", "/nowhere", &[], &[("q", STRAY)], None)).await;
    assert_eq!(last.status, 404);
    assert!(instance.logged("route-not-found").await, "{}", instance.stdout());
    let said = instance.stdout() + &instance.stderr();
    // It does write at this level: a test of what is written must not pass for want of lines.
    assert!(said.contains("DEBUG") && said.contains("a request was refused"), "{said}");
    for telling in TELLING {
        if let Some(line) = said.lines().find(|line| line.contains(telling)) {
            panic!("{telling:?} is in the log: {line}");
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

/// Events that are no requests, and the process goes on. What the runtime says of them is for the test to look at.
async fn not_requests(instance: &Instance) {
    let plain = json!({ "user_name": NAME, "email": EMAIL });
    let mut odd = booking(&seats(1));
    odd["requestContext"]["identity"] = json!(STRAY);
    for event in [plain, json!(NAME), json!([EMAIL]), odd] {
        let _ = instance.invoke(&event).await;
    }
}

#[tokio::test]
async fn book_tells_nobody_who_books() {
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
        // Made, found again, reused; too many; by address; by a partner.
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
        not_requests(&instance).await;

        // The server quotes the row that it refuses.
        let client = database.client().await;
        let forbid = format!("ALTER TABLE bookings ADD CONSTRAINT nobody CHECK (user_name <> '{NAME}') NOT VALID");
        client.batch_execute(&forbid).await.unwrap();
        assert_eq!(statuses(&instance, [keyless(1)]).await, [500]);
        client.batch_execute("ALTER TABLE bookings DROP CONSTRAINT nobody").await.unwrap();
        // It waits too long for a lock.
        let holder = database.admin_client().await;
        holder.batch_execute("BEGIN; SELECT FROM seat_pools FOR UPDATE").await.unwrap();
        assert_eq!(statuses(&instance, [keyless(1)]).await, [503]);
        holder.batch_execute("COMMIT").await.unwrap();
        // It waits since it let holds end.
        let late =
            "UPDATE bookings SET created_at = created_at - interval '1 hour', expires_at = now() - interval '1 minute',
            status = 'FAILED', failure_reason = 'expired', settled_at = now()";
        client.batch_execute(late).await.unwrap();
        assert_eq!(statuses(&instance, [keyless(1)]).await, [429]);
        // Neither a queue nor a database.
        let alone = start(of(NOWHERE), format).await;
        let other = with_token(booking(&seats(1)), "oidc|zq-other", "");
        assert_eq!(statuses(&alone, [other.clone()]).await, [201]);
        drop((client, holder));
        server.stop(Stop::Immediate).await;
        assert_eq!(statuses(&alone, [other.clone()]).await, [503]);
        assert_eq!(statuses(&instance, [other]).await, [503]);
        told_nothing(&instance).await;
        told_nothing(&alone).await;
    }
}

/// The body of an event with all that a provider may put there.
fn paid(scene: &Scene, number: u32) -> String {
    let intent = json!({
        "id": format!("pi_{number}"), "object": "payment_intent", "amount": 5000, "amount_received": 5000,
        "currency": "eur", "metadata": { "booking_id": scene.booking.to_string() }, "receipt_email": EMAIL,
        "charges": { "data": [{ "billing_details": { "name": PAYER, "email": EMAIL } }] },
    });
    stripe_event(&format!("evt_{number}"), "payment_intent.succeeded", &intent)
}

/// Makes the scene's booking this person's.
async fn hold(scene: &Scene) {
    let held = "UPDATE bookings SET user_name = $1, holder = $2, idempotency_key = $3";
    let (holder, key) = (format!("sub:{SUBJECT}"), format!("sub:{SUBJECT} {KEY}"));
    scene.client.execute(held, &[&NAME, &holder, &key]).await.unwrap();
}

#[tokio::test]
async fn bookings_tells_nobody_who_booked() {
    for format in ["JSON", "TEXT"] {
        let server = Server::start(&Options::fast());
        let scene = Scene::on(server.create_database().await).await;
        let instance = start(bookings_of(&scene.database.url()), format).await;
        let id = scene.booking.to_string();
        hold(&scene).await;
        // Its holder; nobody; somebody else; one who may see all.
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
        not_requests(&instance).await;
        server.stop(Stop::Immediate).await;
        assert_eq!(statuses(&instance, [mine(see())]).await, [503]);
        told_nothing(&instance).await;
    }
}

#[tokio::test]
async fn confirm_tells_nobody_who_paid() {
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
        not_requests(&instance).await;

        let alone = start(confirm(&scene.database.url(), NOWHERE, &format!("{NOWHERE}/payments")), format).await;
        server.stop(Stop::Immediate).await;
        // It goes to the queue, and then not even there.
        let confirm_again = with_scopes(of_booking("POST", "/confirm", &id));
        assert_eq!(statuses(&instance, [stripe(&paid(&scene, 2)), confirm_again]).await, [200, 503]);
        assert_eq!(statuses(&alone, [stripe(&paid(&scene, 3))]).await, [503]);
        told_nothing(&instance).await;
        told_nothing(&alone).await;
        assert!(!(instance.stdout() + &alone.stdout()).contains(STANDARD_SECRET));
    }
}

#[tokio::test]
async fn admin_tells_nobody_who_was_asked_about() {
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
        let told = call(&instance, &with_scopes(ask("GET", &who))).await;
        assert!(told.status == 200 && told.body.to_string().contains(NAME) && told.body.to_string().contains(EMAIL));
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
        not_requests(&instance).await;
        server.stop(Stop::Immediate).await;
        let down = [with_scopes(ask("GET", &who)), with_scopes(ask("DELETE", &who))];
        assert_eq!(statuses(&instance, down).await, [503, 503]);
        told_nothing(&instance).await;
    }
}

#[tokio::test]
async fn list_shows_tells_nobody_who_looks() {
    let database = Database::create().await;
    common::show(&database).await;
    let builder = Instance::builder(env!("CARGO_BIN_EXE_list-shows")).env("DATABASE_URL", database.url());
    let instance = start(builder, "JSON").await;
    let events = [request("GET", "/shows", &[], &[], None), request("GET", "/shows", &[], &[("cursor", STRAY)], None)];
    assert_eq!(statuses(&instance, events).await, [200, 400]);
    not_requests(&instance).await;
    told_nothing(&instance).await;
}
