//! What the tests of payments share.

use boxoffice_shared::{
    db::Db,
    model::{BookingId, Money, PaymentChange, PaymentEvent, Price, Provider, Show},
    ops::{self, NewShow},
};
use tokio_postgres::Client;

use super::new_show;

/// What a seat costs in these tests, in minor units.
pub const PRICE: i64 = 2_500;

/// A show that starts in a day, at 25.00 EUR a seat.
pub async fn priced_show(db: &Db, seats: i64, pools: i64) -> Show {
    let price = Price::try_from(eur(PRICE)).unwrap();
    ops::create_show(db, &NewShow { price: Some(price), ..new_show(seats, pools) }).await.unwrap()
}

/// An amount in euro cents.
pub fn eur(minor: i64) -> Money {
    Money::new(minor, "EUR").unwrap()
}

/// An event of Stripe's about a payment of a booking.
pub fn event(id: &str, payment: &str, booking: Option<BookingId>, change: PaymentChange) -> PaymentEvent {
    PaymentEvent {
        provider: Provider::Stripe,
        event_id: id.try_into().unwrap(),
        event_type: "test".into(),
        payment_id: Some(payment.try_into().unwrap()),
        booking_id: booking,
        occurred_at: jiff::Timestamp::now(),
        change,
        payload: "{}".into(),
    }
}

/// A success of the right amount for this many seats.
pub fn success(id: &str, payment: &str, booking: BookingId, seats: i64) -> PaymentEvent {
    event(id, payment, Some(booking), PaymentChange::Succeeded(eur(seats * PRICE)))
}

/// A payment's state and reason.
pub async fn payment(client: &Client, id: &str) -> (String, Option<String>) {
    let sql = "SELECT state, reason FROM payments WHERE payment_id = $1";
    let row = client.query_one(sql, &[&id]).await.unwrap();
    (row.get(0), row.get(1))
}

/// How many events were recorded.
pub async fn events(client: &Client) -> i64 {
    client.query_one("SELECT count(*) FROM payment_events", &[]).await.unwrap().get(0)
}

/// Ends the test with what the reconciliation finds, if it finds anything.
pub async fn assert_reconciled(db: &Db) {
    let found = ops::check(db).await.unwrap();
    assert!(found.is_empty(), "{}", found.iter().map(|v| format!("{v}\n")).collect::<String>());
}
