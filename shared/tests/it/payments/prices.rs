//! Payments whose amount is not what they pay of a booking: with tax or a tip on top, or in the buyer's own currency.

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

/// What the booking of 2 seats costs.
const COSTS: i64 = 2 * PRICE;

/// A show at a price, and a booking of 2 of its seats.
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

    /// What follows from an event of the payment `pi_1` that names this booking.
    async fn tell(&self, event_id: &str, booking: Option<BookingId>, change: PaymentChange) -> Recorded {
        let recorded = payments::record(&self.db, &event(event_id, "pi_1", booking, change), &NO_LIMITS).await.unwrap();
        assert_reconciled(&self.db).await;
        assert_invariants(&self.client).await;
        recorded
    }

    async fn is_confirmed(&self) -> bool {
        let booking = bookings::get(&self.db, self.id, Viewer::Operator).await.unwrap();
        booking.status() == BookingStatus::Confirmed
    }

    /// `received currency`, and what of it was for the booking.
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
async fn one_of_the_readings_is_the_price() {
    for (received, prices) in [
        (eur(COSTS + 950), vec![COSTS + 950, COSTS]),
        (eur(COSTS), vec![COSTS, COSTS - 798]),
        (usd(5480), vec![COSTS]),
        (eur(COSTS + 700), vec![COSTS]),
    ] {
        let scene = Scene::new().await;
        let said = scene.tell("evt_1", Some(scene.id), paid_for(received.clone(), &prices)).await;
        assert_eq!((said, scene.is_confirmed().await), (Recorded::Confirmed, true), "{received} {prices:?}");
        let price = (received != eur(COSTS)).then(|| eur(COSTS).to_string());
        assert_eq!(scene.amounts().await, (received.to_string(), price));
    }
}

#[tokio::test]
async fn what_arrived_is_no_reading_of_itself() {
    let scene = Scene::new().await;
    // Of the price a tenth is a tip.
    assert_eq!(scene.tell("evt_1", Some(scene.id), paid_for(eur(COSTS), &[COSTS - 500])).await, WRONG);
    // The right number of another currency.
    assert_eq!(scene.tell("evt_2", Some(scene.id), PaymentChange::Succeeded(usd(COSTS))).await, Recorded::Kept);
    let other = PaymentChange::SucceededFor { received: eur(COSTS), prices: vec![usd(COSTS), usd(COSTS - 1)] };
    assert_eq!(scene.tell("evt_3", Some(scene.id), other).await, Recorded::Kept);
    assert!(!scene.is_confirmed().await);
}

/// An event that cannot tell the price comes first; the one that can is heard, if it is of the same booking or of none.
#[tokio::test]
async fn a_later_event_of_a_payment_may_tell_its_price() {
    for names_it in [true, false] {
        let scene = Scene::new().await;
        assert_eq!(scene.tell("evt_1", Some(scene.id), PaymentChange::Succeeded(usd(5480))).await, WRONG);
        let other = bookings::book(&scene.db, &request(scene.id.show_id(), 2)).await.unwrap().booking.id();
        assert_eq!(scene.tell("evt_2", Some(other), paid_for(usd(5480), &[COSTS])).await, Recorded::Kept);
        let booking = names_it.then_some(scene.id);
        assert_eq!(scene.tell("evt_3", booking, paid_for(usd(5480), &[COSTS])).await, Recorded::Confirmed);
        assert_eq!(payment(&scene.client, "pi_1").await, ("confirmed".into(), None));
        // And what comes after says nothing new.
        assert_eq!(scene.tell("evt_4", Some(scene.id), PaymentChange::Succeeded(usd(5480))).await, Recorded::Kept);
        assert!(scene.is_confirmed().await);
    }
}

#[tokio::test]
async fn a_payment_of_which_money_went_back_does_not_pay_later() {
    use boxoffice_shared::payments::{Refund, RefundState};
    for back in [
        PaymentChange::Refunded(Refund::Full),
        PaymentChange::Refunded(Refund::Part(eur(100))),
        PaymentChange::Refund { id: "re_1".try_into().unwrap(), amount: eur(100), state: RefundState::Pending },
    ] {
        let scene = Scene::new().await;
        assert_eq!(scene.tell("evt_1", Some(scene.id), PaymentChange::Succeeded(eur(COSTS + 950))).await, WRONG);
        scene.tell("evt_2", Some(scene.id), back.clone()).await;
        let late = paid_for(eur(COSTS + 950), &[COSTS + 950, COSTS]);
        assert_eq!(scene.tell("evt_3", Some(scene.id), late).await, Recorded::Kept, "{back:?}");
        assert!(!scene.is_confirmed().await);
    }
}

/// Settled by hand: the operator has sent it back.
#[tokio::test]
async fn a_payment_that_was_settled_does_not_pay_later() {
    let scene = Scene::new().await;
    assert_eq!(scene.tell("evt_1", Some(scene.id), PaymentChange::Succeeded(usd(5480))).await, WRONG);
    let provider = boxoffice_shared::payments::Provider::Stripe;
    payments::settle(&scene.db, provider, &"pi_1".try_into().unwrap()).await.unwrap();
    assert_eq!(scene.tell("evt_2", Some(scene.id), paid_for(usd(5480), &[COSTS])).await, Recorded::Kept);
    assert_eq!(payment(&scene.client, "pi_1").await.0, "refunded");
}

/// Meanwhile somebody else's payment came.
#[tokio::test]
async fn a_price_that_is_told_late_finds_the_booking_paid() {
    let scene = Scene::new().await;
    assert_eq!(scene.tell("evt_1", Some(scene.id), PaymentChange::Succeeded(usd(5480))).await, WRONG);
    let second = success("evt_2", "pi_2", scene.id, 2);
    assert_eq!(payments::record(&scene.db, &second, &NO_LIMITS).await.unwrap(), Recorded::Confirmed);
    let said = scene.tell("evt_3", Some(scene.id), paid_for(usd(5480), &[COSTS])).await;
    assert_eq!(said, Recorded::RefundDue(RefundReason::AlreadyPaid));
}

/// Intent and session at once, over and over: the booking is confirmed whichever is first.
#[tokio::test]
async fn two_events_of_a_payment_at_once_confirm() {
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

/// The reconciliation compares with the price, not with what arrived.
#[tokio::test]
async fn a_payment_whose_price_is_another_than_its_bookings_is_found() {
    let scene = Scene::new().await;
    scene.tell("evt_1", Some(scene.id), paid_for(usd(5480), &[COSTS])).await;
    scene.client.execute("UPDATE payments SET price_minor = price_minor - 1", &[]).await.unwrap();
    let found: Vec<_> = checks::check(&scene.db).await.unwrap().iter().map(ToString::to_string).collect();
    assert!(found.iter().any(|said| said.contains("with 4999 EUR, expected 5000 EUR")), "{found:?}");
}
