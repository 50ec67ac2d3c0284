//! Reported refunds: they fail the booking and release its seats once, whatever the order of the events.

use std::time::Duration;

use super::{FAILED_AS_REFUNDED, REFUNDED, Scene, partly};
use crate::common::pay::{event, success};
use boxoffice_shared::{
    Error,
    bookings::{self, BookingStatus, Hold},
    money::Money,
    payments::{PaymentChange, Recorded, Refund, RefundReason},
};

#[tokio::test]
async fn a_refund_fails_the_booking_and_releases_its_seats_once() {
    let scene = Scene::new().await;
    scene.pay("evt_1").await;
    // The event names no booking: Stripe's refund events do not.
    assert_eq!(scene.record(event("evt_2", "pi_1", None, REFUNDED)).await, Recorded::Refunded);
    assert_eq!(scene.status().await, FAILED_AS_REFUNDED);
    assert_eq!(scene.available().await, 10);
    scene.assert_payment("refunded", None).await;
    // Several events report the same refund.
    assert_eq!(scene.report("evt_3", partly(7_500)).await, Recorded::Kept);
    assert_eq!(scene.pay("evt_4").await, Recorded::Kept);
    assert_eq!(scene.available().await, 10);
    // A refunded booking cannot be confirmed, cancelled, extended or paid.
    assert!(matches!(bookings::confirm(&scene.db, scene.id).await, Err(Error::BookingRefunded)));
    assert!(matches!(bookings::cancel(&scene.db, scene.id, None).await, Err(Error::BookingRefunded)));
    let extended = bookings::extend(&scene.db, scene.id, None, Hold::DEFAULT, Duration::from_secs(600)).await;
    assert!(matches!(extended, Err(Error::BookingRefunded)));
    let again = success("evt_5", "pi_2", scene.id, 3);
    assert_eq!(scene.record(again).await, Recorded::RefundDue(RefundReason::BookingRefunded));
}

#[tokio::test]
async fn a_refund_reported_before_its_payment_prevents_confirmation() {
    for refund in [REFUNDED, partly(7_500)] {
        let scene = Scene::new().await;
        let early = scene.report("evt_1", refund.clone()).await;
        assert_eq!(early, if refund == REFUNDED { Recorded::Refunded } else { Recorded::Kept });
        assert_eq!(scene.pay("evt_2").await, Recorded::Refunded);
        scene.assert_payment("refunded", None).await;
        assert_eq!(scene.status().await, BookingStatus::Pending);
        assert_eq!(scene.report("evt_3", PaymentChange::Failed).await, Recorded::Kept);
        // The hold stays pending, and another payment can confirm it.
        assert_eq!(scene.record(success("evt_4", "pi_2", scene.id, 3)).await, Recorded::Confirmed);
    }
}

#[tokio::test]
async fn a_partial_refund_leaves_the_booking_confirmed() {
    let scene = Scene::new().await;
    assert_eq!(scene.report("evt_0", partly(100)).await, Recorded::Kept);
    assert_eq!(scene.pay("evt_1").await, Recorded::Confirmed);
    assert_eq!(scene.report("evt_2", partly(7_499)).await, Recorded::Kept);
    let dollars = PaymentChange::Refunded(Refund::Amount(Money::new(7_500, "USD").unwrap()));
    assert_eq!(scene.report("evt_3", dollars).await, Recorded::Kept);
    assert_eq!(scene.status().await, BookingStatus::Confirmed);
    assert_eq!(scene.report("evt_4", partly(7_500)).await, Recorded::Refunded);
    assert_eq!(scene.status().await, FAILED_AS_REFUNDED);
}

#[tokio::test]
async fn a_refund_that_fails_is_due_again() {
    let scene = Scene::new().await;
    scene.pay("evt_1").await;
    let earlier = event("evt_3", "pi_1", None, REFUNDED);
    scene.report("evt_2", REFUNDED).await;
    let failed = scene.report("evt_4", PaymentChange::RefundFailed).await;
    assert_eq!(failed, Recorded::RefundDue(RefundReason::RefundFailed));
    // A report that is older than the failure but arrives after it does not count.
    assert_eq!(scene.record(earlier).await, Recorded::Kept);
    scene.assert_payment("refund_due", Some("refund_failed")).await;
    assert_eq!(scene.status().await, FAILED_AS_REFUNDED);
    let second_report = event("evt_6", "pi_1", None, PaymentChange::RefundFailed);
    assert_eq!(scene.report("evt_5", REFUNDED).await, Recorded::Refunded);
    // A second report of the same failure, with the time of the failure: the refund that replaced it still counts.
    assert_eq!(scene.record(second_report).await, Recorded::Kept);
    scene.assert_payment("refunded", Some("refund_failed")).await;
    assert_eq!(scene.available().await, 10);
}
