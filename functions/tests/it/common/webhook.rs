//! A booking with a price, and payment providers' events about it.

use std::collections::BTreeSet;

use boxoffice_shared::{
    bookings::{self, BookRequest, BookingId, Hold, UserName},
    holders::{Holder, HolderLimits},
    inventory::SeatCount,
    money::{Money, Price},
    platform::db::Db,
};
use boxoffice_testkit::{
    events::api_event,
    lambda::{Builder, Instance},
    postgres::Database,
};
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{TIMEOUT, show_for};

pub const CONFIRM: &str = env!("CARGO_BIN_EXE_confirm");

pub const STRIPE_SECRET: &str = "whsec_boxoffice_stripe";
/// `boxoffice-standard`, in base64.
pub const STANDARD_SECRET: &str = "whsec_Ym94b2ZmaWNlLXN0YW5kYXJk";
const STANDARD_KEY: &[u8] = b"boxoffice-standard";

/// The price of a booking of two seats, in cents.
pub const AMOUNT: i64 = 5_000;

/// A hold of two seats of a show at 25 euros a seat.
pub struct Scene {
    pub database: Database,
    pub db: Db,
    pub client: tokio_postgres::Client,
    pub booking: BookingId,
}

impl Scene {
    pub async fn new() -> Self {
        Self::on(Database::create().await).await
    }

    pub async fn on(database: Database) -> Self {
        let price = Price::try_from(Money::new(2_500, "EUR").unwrap()).unwrap();
        let db = show_for(&database, Some(price)).await;
        let client = database.client().await;
        let booking = book(&db).await;
        Self { database, db, client, booking }
    }

    /// Stripe's event that the booking was paid. The payment and the event have this number.
    pub fn paid(&self, number: u32) -> String {
        paid(self.booking, number)
    }

    /// The booking's status and failure reason: `PENDING`, `CONFIRMED`, `FAILED refunded` and so on.
    pub async fn status(&self) -> String {
        status(&self.client, self.booking).await
    }

    /// All payments, as `id state reason`.
    pub async fn payments(&self) -> Vec<String> {
        let sql = "SELECT concat_ws(' ', payment_id, state, reason) FROM payments ORDER BY 1";
        self.client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    }

    /// The events in the inbox, as `id change outcome`.
    pub async fn events(&self) -> BTreeSet<String> {
        let sql = "SELECT concat_ws(' ', event_id, change, outcome) FROM payment_events";
        self.client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    }

    /// The confirm binary with this database and this queue, not yet started.
    pub fn confirm(&self, endpoint: &str, queue_url: &str) -> Builder {
        confirm(&self.database.url(), endpoint, queue_url)
    }
}

/// Holds two seats of show 1 for two minutes.
pub async fn book(db: &Db) -> BookingId {
    let request = BookRequest {
        id: BookingId::generate("1".parse().unwrap()),
        user_name: UserName::try_from("Ada").unwrap(),
        seats: SeatCount::try_from(2).unwrap(),
        hold: Hold::DEFAULT,
        idempotency_key: None,
        // A different address each time.
        holder: Holder::of_address(std::net::Ipv6Addr::from_bits(rand::random()).into()),
        limits: HolderLimits::DEFAULT,
    };
    bookings::book(db, &request).await.unwrap().booking.id()
}

/// A booking's status and failure reason.
pub async fn status(client: &tokio_postgres::Client, booking: BookingId) -> String {
    let sql = "SELECT concat_ws(' ', status, failure_reason) FROM bookings WHERE show_id = $1 AND id = $2";
    client.query_one(sql, &[&booking.show_id().get(), &booking.uuid()]).await.unwrap().get(0)
}

/// The confirm binary, not yet started.
pub fn confirm(database_url: &str, endpoint: &str, queue_url: &str) -> Builder {
    Instance::builder(CONFIRM)
        .env("DATABASE_URL", database_url)
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("PAYMENTS_QUEUE_URL", queue_url)
        .env("STRIPE_WEBHOOK_SECRETS", STRIPE_SECRET)
        .env("STANDARD_WEBHOOK_SECRETS", STANDARD_SECRET)
        .timeout(TIMEOUT)
}

/// The body of Stripe's `payment_intent.succeeded` for this booking.
pub fn paid(booking: BookingId, number: u32) -> String {
    let intent = json!({
        "id": format!("pi_{number}"), "object": "payment_intent", "amount": AMOUNT, "amount_received": AMOUNT,
        "currency": "eur", "metadata": { "booking_id": booking.to_string() },
    });
    stripe_event(&format!("evt_{number}"), "payment_intent.succeeded", &intent)
}

/// The body of a Stripe event.
pub fn stripe_event(id: &str, event_type: &str, object: &Value) -> String {
    let created = Timestamp::now().as_second();
    json!({ "id": id, "object": "event", "created": created, "type": event_type, "data": { "object": object } })
        .to_string()
}

/// `POST /webhooks/payments/stripe`, signed now.
pub fn stripe(body: &str) -> Value {
    stripe_by(STRIPE_SECRET, body)
}

/// Like [`stripe`], signed with another secret.
pub fn stripe_by(secret: &str, body: &str) -> Value {
    let time = Timestamp::now().as_second();
    let signature = hex::encode(sign(secret.as_bytes(), &format!("{time}.{body}")));
    stripe_with(&[("Stripe-Signature", &format!("t={time},v1={signature}"))], body)
}

/// Like [`stripe`], with these headers.
pub fn stripe_with(headers: &[(&str, &str)], body: &str) -> Value {
    api_event("POST", "/webhooks/payments/stripe", &[], &[], headers, Some(body))
}

/// `POST /webhooks/payments/standard`, signed now.
pub fn standard(id: &str, body: &str) -> Value {
    use base64::{Engine, engine::general_purpose::STANDARD};
    // The provider's clock is 30 s ahead.
    let time = (Timestamp::now() + SignedDuration::from_secs(30)).as_second().to_string();
    let signature = format!("v1,{}", STANDARD.encode(sign(STANDARD_KEY, &format!("{id}.{time}.{body}"))));
    let headers = [("webhook-id", id), ("webhook-timestamp", &time), ("webhook-signature", &signature)];
    api_event("POST", "/webhooks/payments/standard", &[], &[], &headers, Some(body))
}

/// The event with its body in base64, as API Gateway sends binary bodies.
pub fn in_base64(mut event: Value) -> Value {
    use base64::{Engine, engine::general_purpose::STANDARD};
    event["body"] = json!(STANDARD.encode(event["body"].as_str().unwrap()));
    event["isBase64Encoded"] = json!(true);
    event
}

fn sign(key: &[u8], content: &str) -> Vec<u8> {
    let mut hmac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    hmac.update(content.as_bytes());
    hmac.finalize().into_bytes().to_vec()
}
