//! Payments: in whatever order a provider reports them, each payment ends in a confirmed booking or a refund that is
//! due.

mod extension;
mod late;
mod refunds;
mod settle;
mod success;
mod time_zones;

use std::collections::BTreeSet;

use crate::common::{
    self, age, db,
    pay::{PRICE, assert_reconciled, eur, event, payment, priced_show},
    request,
};
use boxoffice_shared::{
    bookings::{self, BookingId, BookingStatus, ExpireOutcome, FailureReason},
    holders::Viewer,
    payments::{self, PaymentChange, Recorded, Refund},
    platform::db::Db,
    shows::{self, ShowId},
};
use boxoffice_testkit::{invariants::assert_invariants, postgres::Database};
use tokio_postgres::Client;

/// A database with a priced show of 10 seats in 2 pools, and a hold on 3 of them.
struct Scene {
    database: Database,
    db: Db,
    client: Client,
    show: ShowId,
    id: BookingId,
}

impl Scene {
    async fn new() -> Self {
        let database = Database::create().await;
        let (db, client) = (db(&database, 4), database.client().await);
        let show = priced_show(&db, 10, 2).await.id();
        let id = bookings::book(&db, &request(show, 3)).await.unwrap().booking.id();
        Self { database, db, client, show, id }
    }

    /// Records an event of the payment `pi_1`.
    async fn report(&self, event_id: &str, change: PaymentChange) -> Recorded {
        self.record(event(event_id, "pi_1", Some(self.id), change)).await
    }

    /// Records an event, checks the invariants, and checks that the repeated event has no effect.
    async fn record(&self, event: boxoffice_shared::payments::PaymentEvent) -> Recorded {
        let recorded = payments::record(&self.db, &event, &common::NO_LIMITS).await.unwrap();
        self.assert_consistent().await;
        assert_eq!(payments::record(&self.db, &event, &common::NO_LIMITS).await.unwrap(), Recorded::Repeated);
        recorded
    }

    async fn pay(&self, event_id: &str) -> Recorded {
        self.report(event_id, paid(3)).await
    }

    async fn expire(&self) {
        age(&self.client, self.id, 120.0).await;
        let outcome = bookings::expire(&self.db, &BTreeSet::from([self.id])).await.unwrap()[&self.id];
        assert_eq!(outcome, ExpireOutcome::Expired);
    }

    async fn status(&self) -> BookingStatus {
        bookings::get(&self.db, self.id, Viewer::Bearer(None)).await.unwrap().status()
    }

    async fn available(&self) -> i32 {
        shows::get(&self.db, self.show).await.unwrap().available_seats()
    }

    async fn assert_consistent(&self) {
        assert_invariants(&self.client).await;
        assert_reconciled(&self.db).await;
    }

    /// Books all free seats.
    async fn sell_out(&self) {
        let seats = self.available().await;
        bookings::book(&self.db, &request(self.show, seats.into())).await.unwrap();
    }

    async fn assert_payment(&self, state: &str, reason: Option<&str>) {
        assert_eq!(payment(&self.client, "pi_1").await, (state.to_owned(), reason.map(str::to_owned)));
    }
}

fn paid(seats: i64) -> PaymentChange {
    PaymentChange::Succeeded(eur(seats * PRICE))
}

const REFUNDED: PaymentChange = PaymentChange::Refunded(Refund::Full);
const FAILED_AS_REFUNDED: BookingStatus = BookingStatus::Failed(FailureReason::Refunded);

fn partly(minor: i64) -> PaymentChange {
    PaymentChange::Refunded(Refund::Amount(eur(minor)))
}
