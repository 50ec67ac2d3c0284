//! Each deployed binary starts under a Lambda runtime emulator and handles its sample events in `events/`.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use boxoffice_e2e::{
    contract::{Contract, Exchange},
    http::Response,
    poll::until,
    setting,
};
use boxoffice_functions::routes;
use boxoffice_testkit::{invariants::assert_invariants, lambda::Instance, postgres::Database, sqs::FixedDelayQueue};
use http::{HeaderMap, HeaderName};
use serde_json::{Value, json};
use tokio_postgres::Client;

/// A sample event.
struct Event {
    file: String,
    payload: Value,
}

impl Event {
    fn all() -> Vec<Self> {
        let files = fs::read_dir(setting::root().join("events")).unwrap();
        let read = |path: PathBuf| Self {
            file: path.file_name().unwrap().to_string_lossy().into_owned(),
            payload: signed(&path),
        };
        files.map(|entry| read(entry.unwrap().path())).collect()
    }

    fn text(&self, pointer: &str) -> &str {
        self.payload.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    fn route(&self) -> (&str, &str) {
        (self.text("/httpMethod"), self.text("/requestContext/resourcePath"))
    }

    /// The binary that handles this event.
    fn binary(&self) -> &'static str {
        if self.text("/Records/0/eventSource") == "aws:sqs" {
            let of_payments = self.text("/Records/0/eventSourceARN").contains("PaymentsQueue");
            return if of_payments { "confirm-payments" } else { "expire-holds" };
        }
        if self.text("/source") == "aws.events" {
            let hourly = self.text("/resources/0").contains("AnonymiseBookings");
            return if hourly { "anonymise-bookings" } else { "sweep-holds" };
        }
        if self.text("/type") == "REQUEST" {
            return "authorize";
        }
        let (method, path) = self.route();
        let route = routes::find(method, path);
        route.unwrap_or_else(|| panic!("no binary handles events/{}", self.file)).lambda.name()
    }

    fn is_webhook(&self) -> bool {
        self.text("/path").starts_with("/webhooks/")
    }

    /// The ids of the bookings that the event names.
    fn booking_ids(&self) -> Vec<String> {
        if let Some(id) = self.payload.pointer("/pathParameters/booking_id") {
            return vec![id.as_str().unwrap().to_owned()];
        }
        if self.is_webhook() {
            let body: Value = serde_json::from_str(self.text("/body")).unwrap();
            let places = ["/data/object/metadata/booking_id", "/data/booking_id"];
            return places.iter().filter_map(|place| Some(body.pointer(place)?.as_str()?.to_owned())).collect();
        }
        let records = self.payload["Records"].as_array().into_iter().flatten();
        let body = |record: &Value| serde_json::from_str::<Value>(record["body"].as_str().unwrap()).unwrap();
        records.map(|record| body(record)["booking_id"].as_str().unwrap().to_owned()).collect()
    }
}

/// Reads an event. A webhook is signed again by `local/webhook.py`.
fn signed(path: &Path) -> Value {
    let text = fs::read(path).unwrap();
    let event: Value = serde_json::from_slice(&text).unwrap();
    if !event["path"].as_str().is_some_and(|path| path.starts_with("/webhooks/")) {
        return event;
    }
    let script = setting::root().join("local/webhook.py");
    let output = std::process::Command::new("python3").arg("-B").arg(script).arg(path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The built binaries, without the migrate command and the benchmark's empty function.
fn built() -> BTreeSet<String> {
    let dir = setting::required("BOXOFFICE_BIN_DIR");
    let names = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap());
    let functions = names.filter(|entry| entry.path().join("bootstrap").is_file());
    let names = functions.map(|entry| entry.file_name().into_string().unwrap());
    names.filter(|name| !["migrate", "echo-function"].contains(&name.as_str())).collect()
}

#[test]
fn every_binary_has_an_event_and_every_event_a_binary() {
    let with_event: BTreeSet<_> = Event::all().iter().map(|event| event.binary().to_owned()).collect();
    assert_eq!(with_event, built());
}

#[test]
fn every_route_has_an_event() {
    let events = Event::all();
    let routes: BTreeSet<_> = events.iter().map(Event::route).filter(|(method, _)| !method.is_empty()).collect();
    let described = Contract::get().routes();
    assert_eq!(routes, described.iter().map(|(method, path)| (method.as_str(), path.as_str())).collect());
}

#[tokio::test]
async fn every_event_is_handled_by_its_binary() {
    for event in Event::all() {
        let database = Database::create().await;
        let client = database.client().await;
        make_rows(&client, &event).await;
        make_payment(&client, &event).await;
        make_inbox(&client, &event).await;
        let queue = FixedDelayQueue::start(Duration::ZERO).await;
        let answer = answer(&event, &database, &queue).await;
        match event.binary() {
            "expire-holds" => {
                assert_eq!(answer["batchItemFailures"], json!([]), "{answer}");
                assert_eq!(count(&client, "FAILED").await, i64::try_from(event.booking_ids().len()).unwrap());
            }
            "confirm-payments" => {
                assert_eq!(answer["batchItemFailures"], json!([]), "{answer}");
                assert_eq!(count(&client, "CONFIRMED").await, 1);
            }
            "sweep-holds" => assert_eq!(answer["expired"], 1, "{answer}"),
            "authorize" => assert_eq!(answer["principalId"], "anonymous", "{answer}"),
            // The show is too recent to anonymise.
            "anonymise-bookings" => assert_eq!(answer, json!({"bookings": 0, "shows": 0, "payloads": 0})),
            _ => keeps_the_contract(&event, &answer),
        }
        if event.is_webhook() {
            assert_eq!(count(&client, "CONFIRMED").await, 1, "events/{}: {answer}", event.file);
        }
        if event.binary() == "book" {
            sent_the_hold_message(&queue, &answer).await;
        } else {
            assert_eq!(queue.count(), 0, "events/{} sent a message", event.file);
        }
        assert_invariants(&client).await;
    }
}

/// Starts the event's binary as Lambda does and invokes it with the event.
async fn answer(event: &Event, database: &Database, queue: &FixedDelayQueue) -> Value {
    let bootstrap = Path::new(&setting::required("BOXOFFICE_BIN_DIR")).join(event.binary()).join("bootstrap");
    let (url, queue_url, endpoint) = (database.url(), queue.queue_url(), queue.endpoint());
    let environment = [
        ("DATABASE_URL", url.as_str()),
        // The template leaves unused settings empty.
        ("DATABASE_SECRET_ARN", ""),
        ("DATABASE_CA_FILE", ""),
        ("HOLD_SECONDS", "120"),
        ("MAX_HOLD_SECONDS", "600"),
        ("HOLD_QUEUE_URL", &queue_url),
        ("PAYMENTS_QUEUE_URL", &queue_url),
        ("STRIPE_MODE", "test"),
        ("STRIPE_WEBHOOK_SECRETS", "whsec_boxoffice_local"),
        ("STRIPE_WEBHOOK_SECRET_ARN", ""),
        ("STANDARD_WEBHOOK_SECRETS", "whsec_Ym94b2ZmaWNlLWxvY2Fs"),
        ("STANDARD_WEBHOOK_SECRET_ARN", ""),
        ("AWS_ENDPOINT_URL", &endpoint),
    ];
    let instance = Instance::start(bootstrap, &environment).await;
    instance
        .ready()
        .await
        .unwrap_or_else(|e| panic!("{} does not start: {e:?}\n{}", event.binary(), instance.stderr()));
    let answer = instance.invoke(&event.payload).await;
    answer.unwrap_or_else(|e| panic!("events/{}: {e:?}\n{}", event.file, instance.stderr()))
}

/// Creates the show and bookings that the event names. Each booking holds two seats. Only for workers the holds are
/// due.
async fn make_rows(client: &Client, event: &Event) {
    // A queued payment arrives before its hold expires.
    let is_worker = event.route().0.is_empty() && event.binary() != "confirm-payments";
    let mut ids = event.booking_ids();
    if is_worker && ids.is_empty() {
        ids.push("1-01936f2e-7c3b-7c3a-9d2e-5f1c8a7b6d40".to_owned());
    }
    let held = i32::try_from(ids.len()).unwrap() * 2;
    let show_ids = ids.iter().map(|id| id.split_once('-').unwrap().0).chain([event.text("/pathParameters/show_id")]);
    let show_ids: BTreeSet<i64> = show_ids.filter_map(|id| id.parse().ok()).collect();
    assert!(show_ids.len() <= 1, "events/{} names several shows", event.file);
    for show_id in &show_ids {
        let show = "INSERT INTO shows (id, name, start_time, total_seats, max_seats_per_booking, pools)
            OVERRIDING SYSTEM VALUE VALUES ($1, 'Hamlet', '2099-12-31T20:00:00Z', 100, 10, 1)";
        client.execute(show, &[show_id]).await.unwrap();
        let pool = "INSERT INTO seat_pools (show_id, pool_no, free) VALUES ($1, 0, 100 - $2)";
        client.execute(pool, &[show_id, &held]).await.unwrap();
    }
    for id in ids {
        let (show_id, uuid) = id.split_once('-').unwrap();
        let booking = "INSERT INTO bookings (show_id, id, user_name, seats, status, created_at, expires_at, amount_minor, currency)
            VALUES ($1::text::bigint, $2::text::uuid, 'Ada', 2, 'PENDING', now() - interval '2 minutes',
                CASE WHEN $3 THEN now() ELSE now() + interval '1 hour' END, 5000, 'EUR')";
        client.execute(booking, &[&show_id, &uuid, &is_worker]).await.unwrap();
    }
}

/// Creates the payment that the event settles, or the confirmed payment whose lost dispute it decides.
async fn make_payment(client: &Client, event: &Event) {
    let payment = "INSERT INTO payments (provider, payment_id, show_id, booking_id, state, reason, amount_minor, currency, succeeded_at)
        SELECT $1, $2, CASE WHEN $3 THEN 1 END, CASE WHEN $3 THEN gen_random_uuid() END,
            CASE WHEN $3 THEN 'confirmed' ELSE 'refund_due' END, CASE WHEN NOT $3 THEN 'unknown_booking' END, 5000, 'EUR', now()
        WHERE $2 <> ''";
    let (provider, payment_id) = (event.text("/pathParameters/provider"), event.text("/pathParameters/payment_id"));
    let is_lost = event.route().1.ends_with("/dispute");
    client.execute(payment, &[&provider, &payment_id, &is_lost]).await.unwrap();
    let dispute = "INSERT INTO payment_disputes (provider, payment_id, dispute_id, state, told_at)
        SELECT $1, $2, 'dp_1', 'lost', now() WHERE $3";
    client.execute(dispute, &[&provider, &payment_id, &is_lost]).await.unwrap();
}

/// Creates the provider event that is to be replayed: it was unreadable when it arrived, and is readable now.
async fn make_inbox(client: &Client, event: &Event) {
    let kept = "INSERT INTO payment_events (provider, event_id, type, occurred_at, change, outcome, payload)
        SELECT $1, $2, '', now(), 'unreadable', 'kept', $3 WHERE $2 <> ''";
    let (provider, event_id) = (event.text("/pathParameters/provider"), event.text("/pathParameters/event_id"));
    let payload =
        json!({"id": event_id, "object": "event", "type": "customer.created", "data": {"object": {}}}).to_string();
    client.execute(kept, &[&provider, &event_id, &payload]).await.unwrap();
}

async fn count(client: &Client, status: &str) -> i64 {
    client.query_one("SELECT count(*) FROM bookings WHERE status = $1", &[&status]).await.unwrap().get(0)
}

/// Exactly one message was sent. It names the booking, and its delay is one second longer than the hold of 120 s.
async fn sent_the_hold_message(queue: &FixedDelayQueue, answer: &Value) {
    let booking: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    // The message is sent after the answer.
    until("the hold message is sent", Duration::from_secs(10), async || (queue.count() > 0).then_some(())).await;
    let sent = queue.sent();
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!(serde_json::from_str::<Value>(&sent[0].body).unwrap(), json!({"booking_id": booking["booking_id"]}));
    assert_eq!(sent[0].delay_seconds, Some(121));
}

/// The answer is a success as `openapi.yaml` describes it.
fn keeps_the_contract(event: &Event, answer: &Value) {
    let mut headers = HeaderMap::new();
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        headers.insert(HeaderName::try_from(name).unwrap(), value.as_str().unwrap().parse().unwrap());
    }
    for (name, values) in answer["multiValueHeaders"].as_object().into_iter().flatten() {
        headers.insert(HeaderName::try_from(name).unwrap(), values[0].as_str().unwrap().parse().unwrap());
    }
    let status = u16::try_from(answer["statusCode"].as_u64().unwrap()).unwrap();
    let response = Response { status, headers, body: answer["body"].as_str().unwrap().to_owned().into() };
    let (method, path, sent) = (event.route().0, event.text("/path"), event.text("/body").as_bytes());
    let breaches = Contract::get().breaches(Exchange { method, path, sent, response: &response });
    assert!(breaches.is_empty(), "events/{}: {answer}\n{breaches:#?}", event.file);
    assert!(status < 300, "events/{}: {answer}", event.file);
}
