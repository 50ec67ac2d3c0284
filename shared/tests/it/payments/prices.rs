//! Payments whose amount differs from the booking's price: with tax or a tip, or in the buyer's own currency.

use crate::common::{
    NO_LIMITS, db,
    pay::{PRICE, assert_reconciled, eur, event, payment, priced_show, success},
    request,
};
use boxoffice_shared::{
    bookings::{self, BookingId, BookingStatus},
    checks,
    holders::Viewer,
    money::Money,
    payments::{self, PaymentChange, Recorded, RefundReason},
    platform::db::Db,
};
use boxoffice_testkit::{invariants::assert_invariants, postgres::Database};
use tokio_postgres::Client;

/// The price of the booking of 2 seats.
const COSTS: i64 = 2 * PRICE;

/// A priced show, and a hold on 2 of its seats.
struct Scene {
    _database: Database,
    db: Db,
    client: Client,
    id: BookingId,
}

impl Scene {
    async fn new() -> Self {
        let database = Database::create().await;
        let (db, client) = (db(&database, 8), database.client().await);
        let show = priced_show(&db, 10, 2).await.id();
        let id = bookings::book(&db, &request(show, 2)).await.unwrap().booking.id();
        Self { _database: database, db, client, id }
    }

    /// Records an event of the payment `pi_1` that names this booking, and checks the invariants.
    async fn report(&self, event_id: &str, booking: Option<BookingId>, change: PaymentChange) -> Recorded {
        let recorded = payments::record(&self.db, &event(event_id, "pi_1", booking, change), &NO_LIMITS).await.unwrap();
        assert_reconciled(&self.db).await;
        assert_invariants(&self.client).await;
        recorded
    }

    async fn is_confirmed(&self) -> bool {
        let booking = bookings::get(&self.db, self.id, Viewer::Operator).await.unwrap();
        booking.status() == BookingStatus::Confirmed
    }

    /// The amount received and the part of it that is for the booking, each as `amount currency`.
    async fn amounts(&self) -> (String, Option<String>) {
        let sql =
            "SELECT concat_ws(' ', amount_minor, currency), nullif(concat_ws(' ', price_minor, price_currency), '')
                   FROM payments WHERE payment_id = 'pi_1'";
        let row = self.client.query_one(sql, &[]).await.unwrap();
        (row.get(0), row.get(1))
    }
}

fn usd(minor: i64) -> Money {
    Money::new(minor, "USD").unwrap()
}

fn paid_for(received: Money, prices: &[i64]) -> PaymentChange {
    PaymentChange::SucceededFor { received, prices: prices.iter().copied().map(eur).collect() }
}

const WRONG: Recorded = Recorded::RefundDue(RefundReason::WrongAmount);

#[tokio::test]
async fn a_payment_confirms_if_one_of_its_prices_matches() {
    for (received, prices) in [
        (eur(COSTS + 950), vec![COSTS + 950, COSTS]),
        (eur(COSTS), vec![COSTS, COSTS - 798]),
        (usd(5480), vec![COSTS]),
        (eur(COSTS + 700), vec![COSTS]),
    ] {
        let scene = Scene::new().await;
        let recorded = scene.report("evt_1", Some(scene.id), paid_for(received.clone(), &prices)).await;
        assert_eq!((recorded, scene.is_confirmed().await), (Recorded::Confirmed, true), "{received} {prices:?}");
        let price = (received != eur(COSTS)).then(|| eur(COSTS).to_string());
        assert_eq!(scene.amounts().await, (received.to_string(), price));
    }
}

#[tokio::test]
async fn the_received_amount_does_not_count_if_prices_are_given() {
    let scene = Scene::new().await;
    // The amount equals the price, but 500 of it are a tip.
    assert_eq!(scene.report("evt_1", Some(scene.id), paid_for(eur(COSTS), &[COSTS - 500])).await, WRONG);
    // The right number in another currency.
    assert_eq!(scene.report("evt_2", Some(scene.id), PaymentChange::Succeeded(usd(COSTS))).await, Recorded::Kept);
    let other = PaymentChange::SucceededFor { received: eur(COSTS), prices: vec![usd(COSTS), usd(COSTS - 1)] };
    assert_eq!(scene.report("evt_3", Some(scene.id), other).await, Recorded::Kept);
    assert!(!scene.is_confirmed().await);
}

/// The first event does not contain the price. A later event that does is applied if it names the same booking or none.
#[tokio::test]
async fn a_later_event_of_a_payment_may_supply_its_price() {
    for names_it in [true, false] {
        let scene = Scene::new().await;
        assert_eq!(scene.report("evt_1", Some(scene.id), PaymentChange::Succeeded(usd(5480))).await, WRONG);
        let other = bookings::book(&scene.db, &request(scene.id.show_id(), 2)).await.unwrap().booking.id();
        assert_eq!(scene.report("evt_2", Some(other), paid_for(usd(5480), &[COSTS])).await, Recorded::Kept);
        let booking = names_it.then_some(scene.id);
        assert_eq!(scene.report("evt_3", booking, paid_for(usd(5480), &[COSTS])).await, Recorded::Confirmed);
        assert_eq!(payment(&scene.client, "pi_1").await, ("confirmed".into(), None));
        // A repeated event changes nothing.
        assert_eq!(scene.report("evt_4", Some(scene.id), PaymentChange::Succeeded(usd(5480))).await, Recorded::Kept);
        assert!(scene.is_confirmed().await);
    }
}

#[tokio::test]
async fn a_partly_refunded_payment_does_not_confirm_later() {
    use boxoffice_shared::payments::{Refund, RefundState};
    for back in [
        PaymentChange::Refunded(Refund::Full),
        PaymentChange::Refunded(Refund::Part(eur(100))),
        PaymentChange::Refund { id: "re_1".try_into().unwrap(), amount: eur(100), state: RefundState::Pending },
    ] {
        let scene = Scene::new().await;
        assert_eq!(scene.report("evt_1", Some(scene.id), PaymentChange::Succeeded(eur(COSTS + 950))).await, WRONG);
        scene.report("evt_2", Some(scene.id), back.clone()).await;
        let late = paid_for(eur(COSTS + 950), &[COSTS + 950, COSTS]);
        assert_eq!(scene.report("evt_3", Some(scene.id), late).await, Recorded::Kept, "{back:?}");
        assert!(!scene.is_confirmed().await);
    }
}

/// An operator refunded the payment by hand and settled it.
#[tokio::test]
async fn a_settled_payment_does_not_confirm_later() {
    let scene = Scene::new().await;
    assert_eq!(scene.report("evt_1", Some(scene.id), PaymentChange::Succeeded(usd(5480))).await, WRONG);
    let provider = boxoffice_shared::payments::Provider::Stripe;
    payments::settle(&scene.db, provider, &"pi_1".try_into().unwrap()).await.unwrap();
    assert_eq!(scene.report("evt_2", Some(scene.id), paid_for(usd(5480), &[COSTS])).await, Recorded::Kept);
    assert_eq!(payment(&scene.client, "pi_1").await.0, "refunded");
}

/// Another payment confirmed the booking in between.
#[tokio::test]
async fn a_price_that_arrives_late_finds_the_booking_paid() {
    let scene = Scene::new().await;
    assert_eq!(scene.report("evt_1", Some(scene.id), PaymentChange::Succeeded(usd(5480))).await, WRONG);
    let second = success("evt_2", "pi_2", scene.id, 2);
    assert_eq!(payments::record(&scene.db, &second, &NO_LIMITS).await.unwrap(), Recorded::Confirmed);
    let recorded = scene.report("evt_3", Some(scene.id), paid_for(usd(5480), &[COSTS])).await;
    assert_eq!(recorded, Recorded::RefundDue(RefundReason::AlreadyPaid));
}

/// The events of a payment intent and of its checkout session arrive at once: the booking is confirmed whichever is
/// first.
#[tokio::test]
async fn concurrent_events_of_a_payment_confirm_the_booking() {
    for round in 0..5 {
        let scene = Scene::new().await;
        let intent = event("evt_1", "pi_1", Some(scene.id), PaymentChange::Succeeded(usd(5480)));
        let session = event("evt_2", "pi_1", Some(scene.id), paid_for(usd(5480), &[COSTS]));
        let (intent, session) = tokio::join!(
            payments::record(&scene.db, &intent, &NO_LIMITS),
            payments::record(&scene.db, &session, &NO_LIMITS)
        );
        assert_eq!(session.unwrap(), Recorded::Confirmed, "{round}");
        assert!([WRONG, Recorded::Kept].contains(&intent.unwrap()), "{round}");
        assert!(scene.is_confirmed().await, "{round}");
        assert_reconciled(&scene.db).await;
    }
}

/// The reconciliation compares the booking with the price, not with the amount received.
#[tokio::test]
async fn checks_find_a_payment_whose_price_is_not_its_bookings() {
    let scene = Scene::new().await;
    scene.report("evt_1", Some(scene.id), paid_for(usd(5480), &[COSTS])).await;
    scene.client.execute("UPDATE payments SET price_minor = price_minor - 1", &[]).await.unwrap();
    let found: Vec<_> = checks::check(&scene.db).await.unwrap().iter().map(ToString::to_string).collect();
    assert!(found.iter().any(|violation| violation.contains("with 4999 EUR, expected 5000 EUR")), "{found:?}");
}
