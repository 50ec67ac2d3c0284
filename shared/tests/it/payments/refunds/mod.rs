//! Refunds: each is a row of its own, only money that was received counts, and the order of the events does not matter.

mod order;
mod second_payment;

use crate::common::{
    self, age,
    pay::{FAILED_AS_REFUNDED, FULL, Scene, eur, event, payment, success},
    request,
};
use boxoffice_shared::{
    bookings::{self, BookingId, BookingStatus},
    page::PageLimit,
    payments::{
        self, PaymentChange, PaymentEvent, PaymentState, Provider, Recorded, Refund, RefundReason, RefundState,
    },
    shows,
};

impl Scene {
    /// Records an event of `pi_1` that names no booking, as refund events do, `at` seconds after the test began.
    async fn report(&self, id: &str, at: i64, change: PaymentChange) -> Recorded {
        self.record(self.at(at, event(id, "pi_1", None, change))).await
    }

    /// The payments that the list of this state contains: id, state, amount refunded and amount due.
    async fn listed(&self, state: PaymentState) -> Vec<String> {
        let page = payments::list(&self.db, state, PageLimit::DEFAULT, None).await.unwrap();
        let line = |payment: &boxoffice_shared::payments::Payment| {
            let (back, due) = (payment.refunded_minor(), payment.refund_due_minor());
            format!("{} {} {back} {due}", payment.payment_id(), payment.state())
        };
        page.items.iter().map(line).collect()
    }
}

fn refund(id: &str, minor: i64, state: RefundState) -> PaymentChange {
    PaymentChange::Refund { id: id.try_into().unwrap(), amount: eur(minor), state }
}

fn part(minor: i64) -> PaymentChange {
    PaymentChange::Refunded(Refund::Part(eur(minor)))
}

fn amount(minor: i64) -> PaymentChange {
    PaymentChange::Refunded(Refund::Amount(eur(minor)))
}

/// Stripe reports one failure as `charge.refund.updated`, `refund.updated` and `refund.failed`.
#[tokio::test]
async fn a_failed_refund_has_one_effect_whatever_its_events_are_called() {
    let scene = Scene::new(10).await;
    let id = scene.paid().await;
    assert_eq!(scene.report("evt_1", 1, FULL).await, Recorded::Refunded);
    assert_eq!(scene.report("evt_2", 1, refund("re_1", 5_000, RefundState::Succeeded)).await, Recorded::Kept);
    let failed = Recorded::RefundDue(RefundReason::RefundFailed);
    assert_eq!(scene.report("evt_3", 2, refund("re_1", 5_000, RefundState::Failed)).await, failed);
    for (n, state) in
        [RefundState::Failed, RefundState::Failed, RefundState::Pending, RefundState::Succeeded].into_iter().enumerate()
    {
        assert_eq!(scene.report(&format!("again_{n}"), 2, refund("re_1", 5_000, state)).await, Recorded::Kept);
    }
    assert_eq!(scene.status(id).await, FAILED_AS_REFUNDED);
    assert_eq!(scene.listed(PaymentState::RefundDue).await, ["pi_1 refund_due 0 5000"]);
    // The refund that replaces it has an id of its own.
    assert_eq!(scene.report("evt_9", 9, refund("re_2", 5_000, RefundState::Pending)).await, Recorded::Refunded);
    assert_eq!(scene.listed(PaymentState::Refunded).await, ["pi_1 refunded 5000 0"]);
    assert_eq!(scene.available().await, 10);
}

#[tokio::test]
async fn the_failed_one_of_two_partial_refunds_is_due() {
    let scene = Scene::new(10).await;
    let id = scene.paid().await;
    assert_eq!(scene.report("evt_1", 1, refund("re_1", 2_500, RefundState::Succeeded)).await, Recorded::Kept);
    assert_eq!(scene.report("evt_2", 1, part(2_500)).await, Recorded::Kept);
    assert_eq!(scene.status(id).await, BookingStatus::Confirmed);
    assert_eq!(scene.report("evt_3", 5, refund("re_2", 2_500, RefundState::Pending)).await, Recorded::Refunded);
    assert_eq!(scene.report("evt_4", 5, FULL).await, Recorded::Kept);
    assert_eq!(scene.status(id).await, FAILED_AS_REFUNDED);
    let failed = scene.report("evt_5", 7, refund("re_2", 2_500, RefundState::Failed)).await;
    assert_eq!(failed, Recorded::RefundDue(RefundReason::RefundFailed));
    assert_eq!(scene.listed(PaymentState::RefundDue).await, ["pi_1 refund_due 2500 2500"]);
    let page = payments::list(&scene.db, PaymentState::RefundDue, PageLimit::DEFAULT, None).await.unwrap();
    let refunds: Vec<_> = page.items[0].refunds().iter().map(|r| (r.refund_id.as_str(), r.state)).collect();
    assert_eq!(refunds, [("re_1", RefundState::Succeeded), ("re_2", RefundState::Failed)]);
    let settled = payments::settle(&scene.db, Provider::Stripe, &"pi_1".try_into().unwrap()).await.unwrap();
    assert_eq!((settled.payment.state(), settled.payment.refund_due_minor()), (PaymentState::Refunded, 0));
}

/// The booking and the payment stay confirmed. The amount that was not refunded is listed, and can be settled.
#[tokio::test]
async fn a_failed_partial_refund_is_due_and_the_booking_stays_confirmed() {
    let scene = Scene::new(10).await;
    let id = scene.paid().await;
    assert_eq!(scene.report("evt_1", 1, refund("re_1", 2_000, RefundState::Succeeded)).await, Recorded::Kept);
    let failed = scene.report("evt_2", 3, refund("re_1", 2_000, RefundState::Failed)).await;
    assert_eq!(failed, Recorded::RefundDue(RefundReason::RefundFailed));
    assert_eq!(scene.listed(PaymentState::RefundDue).await, ["pi_1 confirmed 0 2000"]);
    assert_eq!(scene.listed(PaymentState::Confirmed).await, ["pi_1 confirmed 0 2000"]);
    // A new attempt is not a second refund.
    assert_eq!(scene.report("evt_3", 4, refund("re_2", 2_000, RefundState::Succeeded)).await, Recorded::Kept);
    assert_eq!(scene.listed(PaymentState::RefundDue).await, Vec::<String>::new());
    let failed = scene.report("evt_4", 6, refund("re_2", 2_000, RefundState::Failed)).await;
    assert_eq!(failed, Recorded::RefundDue(RefundReason::RefundFailed));
    let pi_1 = "pi_1".try_into().unwrap();
    for changed in [true, false] {
        let settled = payments::settle(&scene.db, Provider::Stripe, &pi_1).await.unwrap();
        assert_eq!((settled.payment.state(), settled.changed), (PaymentState::Confirmed, changed));
        assert_eq!((settled.payment.refunded_minor(), settled.payment.refund_due_minor()), (2_000, 0));
    }
    assert_eq!(scene.listed(PaymentState::RefundDue).await, Vec::<String>::new());
    assert_eq!(scene.status(id).await, BookingStatus::Confirmed);
    assert_eq!(scene.available().await, 8);
    // A full refund later fails the booking.
    assert_eq!(scene.report("evt_5", 60, FULL).await, Recorded::Refunded);
    assert_eq!(scene.status(id).await, FAILED_AS_REFUNDED);
}

/// Of 12000 authorised, 5000 (the booking's price) are captured and 7000 are released. Stripe reports the 7000 as a
/// partial refund.
#[tokio::test]
async fn only_received_money_counts_as_refunded() {
    for change in [part(7_000), part(5_000), part(4_999), amount(7_000), amount(12_000), amount(4_999)] {
        for early in [true, false] {
            let scene = Scene::new(10).await;
            let id = scene.book().await;
            let paid = success("evt_paid", "pi_1", id, 2);
            if early {
                assert_eq!(scene.report("evt_1", 1, change.clone()).await, Recorded::Kept);
            }
            assert_eq!(scene.record(paid).await, Recorded::Confirmed, "{change:?}");
            if !early {
                assert_eq!(scene.report("evt_1", 1, change.clone()).await, Recorded::Kept, "{change:?}");
            }
            assert_eq!(scene.status(id).await, BookingStatus::Confirmed, "{change:?}");
            assert_eq!(scene.available().await, 8);
            assert_eq!(scene.listed(PaymentState::RefundDue).await, Vec::<String>::new());
            // A refund of the money that was received still counts.
            assert_eq!(scene.report("evt_2", 9, FULL).await, Recorded::Refunded);
            assert_eq!(scene.status(id).await, FAILED_AS_REFUNDED);
        }
    }
}

/// All permutations of these items.
pub(super) fn permutations<T: Clone>(of: &[T]) -> Vec<Vec<T>> {
    if of.is_empty() {
        return vec![vec![]];
    }
    let without = |n: usize| [&of[..n], &of[n + 1..]].concat();
    let begin = |n: usize| permutations(&without(n)).into_iter().map(move |rest| (n, rest)).collect::<Vec<_>>();
    (0..of.len()).flat_map(begin).map(|(n, rest)| [vec![of[n].clone()], rest].concat()).collect()
}

/// An operator settles a payment, and the refund that settled it fails later.
#[tokio::test]
async fn a_refund_that_fails_after_settlement_is_due_again() {
    let scene = Scene::new(10).await;
    scene.paid().await;
    assert_eq!(scene.report("evt_1", -9, FULL).await, Recorded::Refunded);
    let failed = Recorded::RefundDue(RefundReason::RefundFailed);
    assert_eq!(scene.report("evt_2", -5, refund("re_1", 5_000, RefundState::Failed)).await, failed);
    let pi_1 = "pi_1".try_into().unwrap();
    assert!(payments::settle(&scene.db, Provider::Stripe, &pi_1).await.unwrap().changed);
    // A repeated report of the failure, and the report of the refund that settled it, change nothing.
    assert_eq!(scene.report("evt_3", -5, refund("re_1", 5_000, RefundState::Failed)).await, Recorded::Kept);
    assert_eq!(scene.report("evt_4", 60, refund("re_2", 5_000, RefundState::Succeeded)).await, Recorded::Kept);
    assert_eq!(scene.report("evt_5", 90, refund("re_2", 5_000, RefundState::Failed)).await, failed);
    assert_eq!(scene.listed(PaymentState::RefundDue).await, ["pi_1 refund_due 0 5000"]);
}

/// Rows from the release before refunds had rows of their own, and calls that its instances still make during the
/// deployment.
#[tokio::test]
async fn rows_and_calls_of_an_older_release_are_supported() {
    let scene = Scene::new(10).await;
    let id = scene.book().await;
    let old = async |event: &str, payment: &str, seconds: f64, change: &str, minor: Option<i64>| {
        let sql = "SELECT concat_ws(' ', outcome, reason) FROM record_payment('stripe', $1, 't', $2, $3, $4,
            now() + make_interval(secs => $5), $6, $7, $8, '{}')";
        let currency = minor.map(|_| "EUR");
        let (show, id) = (id.show_id().get(), id.uuid());
        let values: &[&(dyn tokio_postgres::types::ToSql + Sync)] =
            &[&event, &payment, &show, &id, &seconds, &change, &minor, &currency];
        scene.client.query_one(sql, values).await.unwrap().get::<_, String>(0)
    };
    assert_eq!(old("e1", "pi_1", 0.0, "succeeded", Some(5_000)).await, "confirmed");
    assert_eq!(old("e1", "pi_1", 0.0, "succeeded", Some(5_000)).await, "repeated");
    assert_eq!(old("e2", "pi_2", 0.0, "succeeded", Some(5_000)).await, "refund_due already_paid");
    assert_eq!(old("e3", "pi_2", 1.0, "refunded", None).await, "refunded");
    assert_eq!(old("e4", "pi_2", 2.0, "refund_failed", None).await, "refund_due refund_failed");
    // The older release settles with its own statement.
    let settle = "UPDATE payments SET state = 'refunded', refund_told_at = clock_timestamp() WHERE payment_id = 'pi_2'";
    scene.client.execute(settle, &[]).await.unwrap();
    // A row that it left for a payment that was refunded before the migration.
    let left =
        "INSERT INTO payments (provider, payment_id, show_id, booking_id, state, amount_minor, currency, succeeded_at,
            refund_told_at)
        VALUES ('stripe', 'pi_3', $1, $2, 'refunded', 5000, 'EUR', now(), now())";
    scene.client.execute(left, &[&id.show_id().get(), &id.uuid()]).await.unwrap();
    let pi_3 = |n: &str, at, change| scene.at(at, event(n, "pi_3", None, change));
    assert_eq!(scene.record(pi_3("evt_1", -60, refund("re_1", 5_000, RefundState::Succeeded))).await, Recorded::Kept);
    let failed = scene.record(pi_3("evt_2", 60, refund("re_1", 5_000, RefundState::Failed))).await;
    assert_eq!(failed, Recorded::RefundDue(RefundReason::RefundFailed));
    assert_eq!(scene.listed(PaymentState::RefundDue).await, ["pi_3 refund_due 0 5000"]);
}

/// Such a payment belongs to another shop of the same account or to a staging stack. It is not refunded, and its
/// payload is not stored.
#[tokio::test]
async fn a_payment_that_names_no_booking_is_unclaimed() {
    let scene = Scene::new(10).await;
    let id = scene.book().await;
    let payload = |event: PaymentEvent| PaymentEvent { payload: r#"{"name": "Stranger"}"#.into(), ..event };
    let paid = PaymentChange::Succeeded(eur(5_000));
    assert_eq!(scene.record(payload(event("evt_1", "pi_x", None, paid.clone()))).await, Recorded::Unclaimed);
    assert_eq!(payment(&scene.client, "pi_x").await, ("unclaimed".into(), Some("names_no_booking".into())));
    // Nor are payloads of later events of this payment, or of events that arrive before their payment's success.
    for (n, change) in
        [FULL, refund("re_1", 5_000, RefundState::Failed), PaymentChange::Failed, PaymentChange::RefundFailed]
            .into_iter()
            .enumerate()
    {
        assert_eq!(
            scene.record(payload(event(&format!("evt_x{n}"), "pi_x", None, change.clone()))).await,
            Recorded::Kept
        );
        scene.record(payload(event(&format!("evt_y{n}"), &format!("pi_y{n}"), None, change))).await;
    }
    let sql = "SELECT count(*) FROM payment_events WHERE payload <> ''";
    assert_eq!(scene.client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0), 0);
    assert_eq!(scene.listed(PaymentState::RefundDue).await, Vec::<String>::new());
    assert_eq!(scene.listed(PaymentState::Unclaimed).await, ["pi_x unclaimed 0 0"]);
    let pi_x = "pi_x".try_into().unwrap();
    let settled = payments::settle(&scene.db, Provider::Stripe, &pi_x).await;
    assert!(matches!(settled, Err(boxoffice_shared::Error::PaymentNotDue)));
    // A payment that names a booking that does not exist is due for refund.
    let unknown_id = BookingId::generate(scene.show);
    let unknown = scene.record(payload(success("evt_2", "pi_2", unknown_id, 2))).await;
    assert_eq!(unknown, Recorded::RefundDue(RefundReason::UnknownBooking));
    assert_eq!(scene.listed(PaymentState::RefundDue).await, ["pi_2 refund_due 0 5000"]);
    assert_eq!(scene.client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0), 1);
    // A second event of the same success may name the booking: Stripe's payment intent has no metadata, its checkout
    // session has.
    assert_eq!(scene.record(event("evt_3", "pi_3", None, paid)).await, Recorded::Unclaimed);
    assert_eq!(scene.record(success("evt_4", "pi_3", id, 2)).await, Recorded::Confirmed);
    assert_eq!(payment(&scene.client, "pi_3").await, ("confirmed".into(), None));
}

/// A payment of 0 confirms a booking that costs 0. It does not confirm a priced booking, for instance after a discount
/// of 100 %.
#[tokio::test]
async fn a_payment_of_zero_confirms_only_a_free_booking() {
    let scene = Scene::new(10).await;
    let nothing = PaymentChange::Succeeded(eur(0));
    let price = boxoffice_shared::money::Price::try_from(eur(0)).unwrap();
    let free = shows::NewShow { price: Some(price), ..common::new_show(10, 1) };
    let free = shows::create(&scene.db, &free).await.unwrap().id();
    for late in [false, true] {
        let booking = bookings::book(&scene.db, &request(free, 2)).await.unwrap().booking;
        assert_eq!(booking.amount(), Some(&eur(0)));
        if late {
            age(&scene.client, booking.id(), 120.0).await;
            bookings::sweep(&scene.db).await.unwrap();
        }
        let paid = event(&format!("evt_{late}"), &format!("cs_{late}"), Some(booking.id()), nothing.clone());
        assert_eq!(scene.record(paid).await, Recorded::Confirmed);
        // A reported refund of 0 changes nothing.
        let of = event(&format!("evt_r{late}"), &format!("cs_{late}"), None, amount(0));
        assert_eq!(scene.record(of).await, Recorded::Kept);
        assert_eq!(scene.status(booking.id()).await, BookingStatus::Confirmed);
    }
    let priced = scene.book().await;
    let paid = scene.record(event("evt_1", "cs_1", Some(priced), nothing)).await;
    assert_eq!(paid, Recorded::RefundDue(RefundReason::WrongAmount));
    assert_eq!(scene.status(priced).await, BookingStatus::Pending);
    assert_eq!(scene.listed(PaymentState::RefundDue).await, ["cs_1 refund_due 0 0"]);
    let settled = payments::settle(&scene.db, Provider::Stripe, &"cs_1".try_into().unwrap()).await.unwrap();
    assert_eq!(settled.payment.state(), PaymentState::Refunded);
}
