//! Helpers shared by the tests of payments.

use boxoffice_shared::{
    bookings::{self, BookingId, BookingStatus, FailureReason},
    checks,
    holders::Viewer,
    money::{Money, Price},
    payments::{self, PaymentChange, PaymentEvent, Provider, Recorded, Refund},
    platform::db::Db,
    shows::{self, NewShow, Show, ShowId},
};
use boxoffice_testkit::{invariants::assert_invariants, postgres::Database};
use jiff::{SignedDuration, Timestamp};
use tokio_postgres::Client;

use super::{NO_LIMITS, db, new_show, request};

/// The price of a seat in these tests, in minor units.
pub const PRICE: i64 = 2_500;

/// Creates a show that starts in a day, at 25.00 EUR per seat.
pub async fn priced_show(db: &Db, seats: i64, pools: i64) -> Show {
    let price = Price::try_from(eur(PRICE)).unwrap();
    shows::create(db, &NewShow { price: Some(price), ..new_show(seats, pools) }).await.unwrap()
}

/// An amount in euro cents.
pub fn eur(minor: i64) -> Money {
    Money::new(minor, "EUR").unwrap()
}

/// A Stripe event about a payment of a booking.
pub fn event(id: &str, payment: &str, booking: Option<BookingId>, change: PaymentChange) -> PaymentEvent {
    PaymentEvent {
        provider: Provider::Stripe,
        event_id: id.try_into().unwrap(),
        event_type: "test".into(),
        payment_id: Some(payment.try_into().unwrap()),
        booking_id: booking,
        occurred_at: Timestamp::now(),
        change,
        payload: "{}".into(),
    }
}

/// The success of a payment, with the right amount for this many seats.
pub fn success(id: &str, payment: &str, booking: BookingId, seats: i64) -> PaymentEvent {
    event(id, payment, Some(booking), PaymentChange::Succeeded(eur(seats * PRICE)))
}

/// Returns a payment's state and reason.
pub async fn payment(client: &Client, id: &str) -> (String, Option<String>) {
    let sql = "SELECT state, reason FROM payments WHERE payment_id = $1";
    let row = client.query_one(sql, &[&id]).await.unwrap();
    (row.get(0), row.get(1))
}

/// Counts the recorded events.
pub async fn events(client: &Client) -> i64 {
    client.query_one("SELECT count(*) FROM payment_events", &[]).await.unwrap().get(0)
}

/// Panics with the violations that the check finds, if there are any.
pub async fn assert_reconciled(db: &Db) {
    let found = checks::check(db).await.unwrap();
    assert!(found.is_empty(), "{}", found.iter().map(|v| format!("{v}\n")).collect::<String>());
}

pub const FAILED_AS_REFUNDED: BookingStatus = BookingStatus::Failed(FailureReason::Refunded);
pub const FULL: PaymentChange = PaymentChange::Refunded(Refund::Full);

/// A priced show, for tests of refunds and disputes.
pub struct Scene {
    pub database: Database,
    pub db: Db,
    pub client: Client,
    pub show: ShowId,
    begun: Timestamp,
}

impl Scene {
    pub async fn new(seats: i64) -> Self {
        let database = Database::create().await;
        let (db, client) = (db(&database, 4), database.client().await);
        let show = priced_show(&db, seats, 2).await.id();
        Self { database, db, client, show, begun: Timestamp::now() }
    }

    /// Books two seats, for 50.00 EUR.
    pub async fn book(&self) -> BookingId {
        bookings::book(&self.db, &request(self.show, 2)).await.unwrap().booking.id()
    }

    /// Makes a booking that `pi_1` has paid for.
    pub async fn paid(&self) -> BookingId {
        let id = self.book().await;
        assert_eq!(self.record(success("evt_paid", "pi_1", id, 2)).await, Recorded::Confirmed);
        id
    }

    /// Records an event twice, and checks that the second time changes nothing. Returns the first outcome.
    pub async fn record(&self, event: PaymentEvent) -> Recorded {
        let recorded = payments::record(&self.db, &event, &NO_LIMITS).await.unwrap();
        assert_invariants(&self.client).await;
        assert_reconciled(&self.db).await;
        assert_eq!(payments::record(&self.db, &event, &NO_LIMITS).await.unwrap(), Recorded::Repeated);
        recorded
    }

    /// Dates the event this many seconds after the start of the test.
    pub fn at(&self, seconds: i64, event: PaymentEvent) -> PaymentEvent {
        PaymentEvent { occurred_at: self.begun + SignedDuration::from_secs(seconds), ..event }
    }

    pub async fn status(&self, id: BookingId) -> BookingStatus {
        bookings::get(&self.db, id, Viewer::Bearer(None)).await.unwrap().status()
    }

    pub async fn available(&self) -> i32 {
        shows::get(&self.db, self.show).await.unwrap().available_seats()
    }
}
