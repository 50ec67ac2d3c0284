//! A database with a show, and the real binaries in a Lambda runtime.
#![allow(unreachable_pub, reason = "tests")]

pub mod webhook;

use std::{collections::BTreeMap, num::NonZeroU16, time::Duration};

use boxoffice_functions::{
    access::Scope,
    routes::{Lambda, Route},
};
use boxoffice_shared::{
    inventory::{Pools, SeatCount, TotalSeats},
    money::Price,
    platform::{config, db::Db, tls::connector},
    shows::{self, NewShow, ShowName},
};
pub use boxoffice_testkit::wait::until;
use boxoffice_testkit::{
    events::{api_event, with_token},
    lambda::{Builder, Instance},
    postgres::Database,
    sqs::FixedDelayQueue,
};
use serde_json::{Value, json};

pub const BOOK: &str = env!("CARGO_BIN_EXE_book");
pub const BOOKINGS: &str = env!("CARGO_BIN_EXE_bookings");

/// Each Lambda of the API and its binary.
pub const LAMBDAS: [(Lambda, &str); 5] = [
    (Lambda::ListShows, env!("CARGO_BIN_EXE_list-shows")),
    (Lambda::Book, BOOK),
    (Lambda::Bookings, BOOKINGS),
    (Lambda::Confirm, webhook::CONFIRM),
    (Lambda::Admin, env!("CARGO_BIN_EXE_admin")),
];

/// The API functions' `Timeout` in the template. A later answer counts as none.
pub const TIMEOUT: Duration = Duration::from_secs(15);

/// Creates a show of 100 seats through the operation itself. Its id is 1.
pub async fn show(database: &Database) -> Db {
    show_for(database, None).await
}

/// Like [`show`], with a price.
pub async fn show_for(database: &Database, price: Option<Price>) -> Db {
    let settings = config::Database::from_url(&database.url(), None).unwrap();
    let db = Db::new(&settings, connector(None).unwrap(), NonZeroU16::MIN).unwrap();
    let new = NewShow {
        name: ShowName::try_from("The Tempest").unwrap(),
        start_time: jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24),
        total_seats: TotalSeats::try_from(100).unwrap(),
        max_seats_per_booking: SeatCount::try_from(10).unwrap(),
        pools: Pools::try_from(4).unwrap(),
        max_pending_seats_per_holder: None,
        max_seats_per_holder: None,
        price,
    };
    assert_eq!(shows::create(&db, &new).await.unwrap().id().get(), 1);
    db
}

/// All Lambdas of the API, running with a database and a queue.
pub struct Api(BTreeMap<Lambda, Instance>);

impl Api {
    pub async fn start(database: &Database, queue: &FixedDelayQueue) -> Self {
        let mut instances = BTreeMap::new();
        for (lambda, binary) in LAMBDAS {
            let builder = Instance::builder(binary).env("DATABASE_URL", database.url());
            let builder = builder.env("AWS_ENDPOINT_URL", queue.endpoint()).env("HOLD_QUEUE_URL", queue.queue_url());
            let builder = builder.env("PAYMENTS_QUEUE_URL", queue.queue_url());
            let builder = builder.env("STRIPE_WEBHOOK_SECRETS", webhook::STRIPE_SECRET);
            let builder = builder.env("STANDARD_WEBHOOK_SECRETS", webhook::STANDARD_SECRET);
            instances.insert(lambda, ready(builder.timeout(TIMEOUT)).await);
        }
        Self(instances)
    }

    /// The Lambda that serves a route.
    pub fn of(&self, route: &Route) -> &Instance {
        self.get(route.lambda)
    }

    pub fn get(&self, lambda: Lambda) -> &Instance {
        &self.0[&lambda]
    }

    pub fn all(&self) -> impl Iterator<Item = (Lambda, &Instance)> {
        self.0.iter().map(|(lambda, instance)| (*lambda, instance))
    }
}

/// The event for this method and path. Path parameters are valid ids; only show 1 may exist.
pub fn request(method: &str, path: &str, query: &[(&str, &str)], body: Option<&str>) -> Value {
    let parameters = [
        ("show_id", "1"),
        ("booking_id", "1-019a5b7e-8f00-7abc-8def-0123456789ab"),
        ("provider", "stripe"),
        ("payment_id", "pi_1"),
        ("event_id", "evt_1"),
    ];
    let used: Vec<_> = parameters.into_iter().filter(|(name, _)| path.contains(&format!("{{{name}}}"))).collect();
    api_event(method, path, &used, query, &[("Content-Type", "application/json")], body)
}

/// The book binary with a database and a queue, not yet started.
pub fn book(database_url: &str, endpoint: &str, queue_url: &str) -> Builder {
    Instance::builder(BOOK)
        .env("DATABASE_URL", database_url)
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("HOLD_QUEUE_URL", queue_url)
        .timeout(TIMEOUT)
}

/// The bookings binary with a database, not yet started.
pub fn bookings_of(database_url: &str) -> Builder {
    Instance::builder(BOOKINGS).env("DATABASE_URL", database_url).timeout(TIMEOUT)
}

/// Starts a binary and waits until its connection is open.
pub async fn ready(builder: Builder) -> Instance {
    let instance = builder.start().await;
    instance.ready().await.unwrap();
    instance
}

/// The event of `POST /shows/1/bookings` for Ada.
pub fn booking(seats: i32, headers: &[(&str, &str)]) -> Value {
    let mut all = vec![("Content-Type", "application/json")];
    all.extend(headers);
    let body = json!({ "user_name": "Ada", "seats": seats }).to_string();
    api_event("POST", "/shows/{show_id}/bookings", &[("show_id", "1")], &[], &all, Some(&body))
}

/// The event with an operator's token that has all scopes.
pub fn operator(event: Value) -> Value {
    let scopes: Vec<_> = Scope::ALL.into_iter().map(Scope::as_str).collect();
    with_token(event, "operator", &scopes.join(" "))
}

/// An answer as API Gateway reads it.
pub struct Answer {
    pub status: u64,
    pub body: Value,
    raw: Value,
}

impl Answer {
    pub fn of(raw: Value) -> Self {
        let body = serde_json::from_str(raw["body"].as_str().unwrap()).unwrap();
        Self { status: raw["statusCode"].as_u64().unwrap(), body, raw }
    }

    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.raw["multiValueHeaders"][name].get(0).or_else(|| self.raw["headers"].get(name)).and_then(Value::as_str)
    }

    /// The last segment of a problem's type.
    pub fn problem(&self) -> &str {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.raw);
        self.body["type"].as_str().unwrap().rsplit('/').next().unwrap()
    }
}

/// Sends a request and reads the answer, which must come within the function's timeout.
pub async fn call(instance: &Instance, event: &Value) -> Answer {
    Answer::of(instance.invoke(event).await.unwrap())
}

/// The number of bookings.
pub async fn bookings(client: &tokio_postgres::Client) -> i64 {
    client.query_one("SELECT count(*) FROM bookings", &[]).await.unwrap().get(0)
}
