//! Successful and failed payments: a booking is confirmed once, and other money is due for refund.

use super::{REFUNDED, Scene, paid};
use crate::common::{
    self,
    pay::{PRICE, assert_reconciled, eur, event, events, priced_show, success},
    request, show,
};
use boxoffice_shared::{
    bookings::{self, BookingId, BookingStatus},
    holders::Viewer,
    money::Money,
    payments::{self, EventType, PaymentChange, Provider, Recorded, RefundReason},
    shows,
};
use boxoffice_testkit::{invariants::assert_invariants, postgres::Database};

#[tokio::test]
async fn a_booking_keeps_the_amount_of_its_seats() {
    let scene = Scene::new().await;
    let booking = bookings::get(&scene.db, scene.id, Viewer::Bearer(None)).await.unwrap();
    assert_eq!(booking.amount(), Some(&eur(7_500)));
    assert_eq!(shows::get(&scene.db, scene.show).await.unwrap().price(), Some(&eur(PRICE)));
    // A booking across pools too: 7 seats are left, and neither pool of 5 has 6 of them.
    let across = bookings::book(&scene.db, &request(scene.show, 6)).await.unwrap().booking;
    assert_eq!(across.amount(), Some(&eur(15_000)));
    let free_of_charge = show(&scene.db, 10, 1).await;
    assert_eq!(free_of_charge.price(), None);
    assert_eq!(bookings::book(&scene.db, &request(free_of_charge.id(), 1)).await.unwrap().booking.amount(), None);
}

#[tokio::test]
async fn a_payment_in_time_confirms() {
    let scene = Scene::new().await;
    assert_eq!(scene.pay("evt_1").await, Recorded::Confirmed);
    assert_eq!(scene.status().await, BookingStatus::Confirmed);
    scene.assert_payment("confirmed", None).await;
    assert_eq!(scene.available().await, 7);
    // Stripe sends two events for one payment: one for the intent, one for the checkout session.
    assert_eq!(scene.pay("evt_2").await, Recorded::Kept);
    assert_eq!(events(&scene.client).await, 2);
    // An operator's confirmation changes nothing now.
    assert!(!bookings::confirm(&scene.db, scene.id).await.unwrap().changed);
}

#[tokio::test]
async fn twenty_concurrent_copies_of_an_event_have_one_effect() {
    let database = Database::create().await;
    let instances = common::instances(&database.url(), 20).await;
    let client = database.client().await;
    let show = priced_show(&instances[0], 10, 2).await.id();
    for (change, effect) in [(paid(3), Recorded::Confirmed), (REFUNDED, Recorded::Refunded)] {
        let id = bookings::book(&instances[0], &request(show, 3)).await.unwrap().booking.id();
        payments::record(&instances[0], &success(&format!("a{id}"), "pi_0", id, 3), &common::NO_LIMITS).await.unwrap();
        let payment_id = if change == REFUNDED { "pi_0" } else { "pi_1" };
        // pi_0 paid for the first booking. The second round refunds it.
        let sent = event(&format!("b{id}"), payment_id, Some(id), change);
        let mut answers = tokio::task::JoinSet::new();
        for db in instances.clone() {
            let sent = sent.clone();
            answers.spawn(async move { payments::record(&db, &sent, &common::NO_LIMITS).await.unwrap() });
        }
        let mut answers = answers.join_all().await;
        answers.retain(|answer| *answer != Recorded::Repeated);
        let expected =
            if effect == Recorded::Confirmed { Recorded::RefundDue(RefundReason::AlreadyPaid) } else { effect };
        assert_eq!(answers, [expected]);
        assert_invariants(&client).await;
        assert_reconciled(&instances[0]).await;
    }
    // Three successes and a refund; two of these four events were sent 20 times.
    assert_eq!(events(&client).await, 4);
}

#[tokio::test]
async fn twenty_concurrent_payments_confirm_once() {
    let database = Database::create().await;
    let instances = common::instances(&database.url(), 20).await;
    let client = database.client().await;
    let show = priced_show(&instances[0], 10, 2).await.id();
    let id = bookings::book(&instances[0], &request(show, 3)).await.unwrap().booking.id();
    // 11 calls send the same event; the other 9 send a payment each.
    let mut answers = tokio::task::JoinSet::new();
    for (n, db) in instances.clone().into_iter().enumerate() {
        let n = n.saturating_sub(10);
        let sent = success(&format!("evt_{n}"), &format!("pi_{n}"), id, 3);
        answers.spawn(async move { payments::record(&db, &sent, &common::NO_LIMITS).await.unwrap() });
    }
    let answers = answers.join_all().await;
    let count = |wanted: Recorded| answers.iter().filter(|answer| **answer == wanted).count();
    assert_eq!(count(Recorded::Repeated), 10);
    assert_eq!(count(Recorded::Confirmed), 1);
    assert_eq!(count(Recorded::RefundDue(RefundReason::AlreadyPaid)), 9);
    assert_invariants(&client).await;
    assert_reconciled(&instances[0]).await;
}

#[tokio::test]
async fn a_second_payment_is_due_for_refund() {
    let scene = Scene::new().await;
    assert_eq!(scene.pay("evt_1").await, Recorded::Confirmed);
    let second = success("evt_2", "pi_2", scene.id, 3);
    assert_eq!(scene.record(second).await, Recorded::RefundDue(RefundReason::AlreadyPaid));
    assert_eq!(scene.status().await, BookingStatus::Confirmed);
    // Refunding the second payment does not change the booking.
    assert_eq!(scene.record(event("evt_3", "pi_2", None, REFUNDED)).await, Recorded::Refunded);
    assert_eq!(scene.status().await, BookingStatus::Confirmed);
    scene.assert_payment("confirmed", None).await;
}

#[tokio::test]
async fn a_wrong_amount_is_due_for_refund_and_the_hold_stays_pending() {
    let scene = Scene::new().await;
    let wrong = [eur(7_499), eur(7_501), eur(0), Money::new(7_500, "USD").unwrap()];
    for (n, money) in wrong.into_iter().enumerate() {
        let sent = event(&format!("evt_{n}"), &format!("pi_w{n}"), Some(scene.id), PaymentChange::Succeeded(money));
        assert_eq!(scene.record(sent).await, Recorded::RefundDue(RefundReason::WrongAmount));
        assert_eq!(scene.status().await, BookingStatus::Pending);
    }
    assert_eq!(scene.pay("evt_right").await, Recorded::Confirmed);
}

#[tokio::test]
async fn a_booking_without_a_price_is_confirmed_only_by_an_operator() {
    let scene = Scene::new().await;
    let show = show(&scene.db, 5, 1).await.id();
    let id = bookings::book(&scene.db, &request(show, 1)).await.unwrap().booking.id();
    assert_eq!(scene.record(success("evt_1", "pi_1", id, 1)).await, Recorded::RefundDue(RefundReason::NoPrice));
    assert!(bookings::confirm(&scene.db, id).await.unwrap().changed);
}

#[tokio::test]
async fn a_booking_confirmed_by_an_operator_accepts_its_payment_later() {
    let scene = Scene::new().await;
    assert!(bookings::confirm(&scene.db, scene.id).await.unwrap().changed);
    assert_eq!(scene.pay("evt_1").await, Recorded::Confirmed);
    assert_eq!(scene.available().await, 7);
    let second = success("evt_2", "pi_2", scene.id, 3);
    assert_eq!(scene.record(second).await, Recorded::RefundDue(RefundReason::AlreadyPaid));
}

#[tokio::test]
async fn a_payment_of_an_unknown_booking_is_due_for_refund() {
    let scene = Scene::new().await;
    let unknown = Recorded::RefundDue(RefundReason::UnknownBooking);
    let unknown_id = BookingId::generate(scene.show);
    assert_eq!(scene.record(success("evt_1", "pi_1", unknown_id, 3)).await, unknown);
    assert_eq!(scene.record(event("evt_2", "pi_2", None, paid(3))).await, Recorded::Unclaimed);
    assert_eq!(scene.status().await, BookingStatus::Pending);
    // Another event of the same success may name the booking: Stripe's payment intent may omit it, its checkout session
    // names it.
    assert_eq!(scene.record(success("evt_3", "pi_2", scene.id, 3)).await, Recorded::Confirmed);
    // A payment that was refunded stays refunded.
    payments::settle(&scene.db, Provider::Stripe, &"pi_1".try_into().unwrap()).await.unwrap();
    assert_eq!(scene.record(success("evt_4", "pi_1", scene.id, 3)).await, Recorded::Kept);
}

/// A payment that names bookings of two shows pays for the first only.
#[tokio::test]
async fn one_payment_pays_for_one_booking() {
    let scene = Scene::new().await;
    let other_show = priced_show(&scene.db, 10, 1).await.id();
    let other = bookings::book(&scene.db, &request(other_show, 3)).await.unwrap().booking.id();
    assert_eq!(scene.pay("evt_1").await, Recorded::Confirmed);
    assert_eq!(scene.record(success("evt_2", "pi_1", other, 3)).await, Recorded::Kept);
    assert_eq!(bookings::get(&scene.db, other, Viewer::Bearer(None)).await.unwrap().status(), BookingStatus::Pending);
}

#[tokio::test]
async fn a_failed_payment_leaves_the_hold_pending() {
    for change in [PaymentChange::Failed, PaymentChange::Cancelled] {
        let scene = Scene::new().await;
        assert_eq!(scene.report("evt_1", change.clone()).await, Recorded::Kept);
        assert_eq!(scene.status().await, BookingStatus::Pending);
        scene.assert_payment("failed", None).await;
        // A success counts whether the failure is reported before or after it.
        assert_eq!(scene.pay("evt_2").await, Recorded::Confirmed);
        assert_eq!(scene.report("evt_3", change).await, Recorded::Kept);
        assert_eq!(scene.status().await, BookingStatus::Confirmed);
        scene.assert_payment("confirmed", None).await;
    }
}

#[tokio::test]
async fn unreadable_events_are_kept() {
    let scene = Scene::new().await;
    for (n, change) in [PaymentChange::Other, PaymentChange::Unreadable, paid(3)].into_iter().enumerate() {
        let mut sent = event(&format!("evt_{n}"), "pi_1", Some(scene.id), change);
        sent.payment_id = None;
        sent.event_type = EventType::from("x\0y".repeat(200).as_str());
        sent.payload = "\0not json".repeat(20_000).as_str().into();
        assert_eq!(scene.record(sent).await, Recorded::Kept);
    }
    assert_eq!(scene.report("evt_9", PaymentChange::Unreadable).await, Recorded::Kept);
    assert_eq!(events(&scene.client).await, 4);
    assert_eq!(scene.status().await, BookingStatus::Pending);
}

/// The same ids from another provider are another event and another payment.
#[tokio::test]
async fn providers_do_not_share_ids() {
    let scene = Scene::new().await;
    assert_eq!(scene.pay("evt_1").await, Recorded::Confirmed);
    let mut sent = success("evt_1", "pi_1", scene.id, 3);
    sent.provider = Provider::Standard;
    assert_eq!(scene.record(sent).await, Recorded::RefundDue(RefundReason::AlreadyPaid));
}
