//! Payments after the hold ended or was cancelled: seats are taken again, or the money is due for refund.

use std::collections::BTreeSet;

use super::Scene;
use crate::common::{
    self, age, free,
    pay::{assert_reconciled, priced_show, success},
    request,
};
use boxoffice_shared::{
    Error,
    bookings::{self, BookingStatus, ExpireOutcome, FailureReason},
    inventory::Pools,
    payments::{self, Recorded, RefundReason},
    shows,
};
use boxoffice_testkit::{invariants::assert_invariants, postgres::Database};

#[tokio::test]
async fn a_late_payment_takes_the_seats_again() {
    let scene = Scene::new().await;
    scene.expire().await;
    assert_eq!(scene.available().await, 10);
    assert_eq!(scene.pay("evt_1").await, Recorded::Confirmed);
    assert_eq!(scene.status().await, BookingStatus::Confirmed);
    assert_eq!(scene.available().await, 7);
}

/// The hold is over but not yet expired, so it still has its seats, although all others are sold.
#[tokio::test]
async fn a_late_payment_of_a_hold_not_yet_expired_keeps_the_seats() {
    let scene = Scene::new().await;
    scene.sell_out().await;
    age(&scene.client, scene.id, 120.0).await;
    assert_eq!(scene.pay("evt_1").await, Recorded::Confirmed);
    assert_eq!(scene.status().await, BookingStatus::Confirmed);
    let outcomes = bookings::expire(&scene.db, &BTreeSet::from([scene.id])).await.unwrap();
    assert_eq!(outcomes[&scene.id], ExpireOutcome::Ended);
}

/// No single pool has enough seats.
#[tokio::test]
async fn a_late_payment_takes_seats_from_several_pools() {
    let scene = Scene::new().await;
    scene.expire().await;
    bookings::book(&scene.db, &request(scene.show, 7)).await.unwrap();
    shows::set_pools(&scene.db, scene.show, Pools::try_from(3).unwrap()).await.unwrap();
    assert_eq!(free(&scene.client, scene.show).await, [1, 1, 1]);
    assert_eq!(scene.pay("evt_1").await, Recorded::Confirmed);
    assert_eq!(scene.available().await, 0);
}

#[tokio::test]
async fn a_late_payment_of_a_sold_out_show_is_due_for_refund() {
    let scene = Scene::new().await;
    scene.expire().await;
    scene.sell_out().await;
    assert_eq!(scene.pay("evt_1").await, Recorded::RefundDue(RefundReason::HoldExpiredSoldOut));
    assert_eq!(scene.status().await, BookingStatus::Failed(FailureReason::Expired));
    scene.assert_payment("refund_due", Some("hold_expired_sold_out")).await;
}

#[tokio::test]
async fn a_late_payment_after_the_show_started_is_due_for_refund() {
    let scene = Scene::new().await;
    // A payment in time confirms even if the show has started.
    let other = bookings::book(&scene.db, &request(scene.show, 1)).await.unwrap().booking.id();
    let start = "UPDATE shows SET start_time = clock_timestamp() - interval '1 minute'";
    scene.client.execute(start, &[]).await.unwrap();
    assert_eq!(scene.record(success("evt_0", "pi_0", other, 1)).await, Recorded::Confirmed);
    age(&scene.client, scene.id, 120.0).await;
    assert_eq!(scene.pay("evt_1").await, Recorded::RefundDue(RefundReason::HoldExpiredShowStarted));
    // The booking is still pending. Its expiry releases the seats.
    assert_eq!(bookings::sweep(&scene.db).await.unwrap(), 1);
    assert_eq!(scene.available().await, 9);
}

/// Cancelling a hold that is already over is refused, so a payment that was under way is a late payment, whether it
/// arrives before or after the hold is expired.
#[tokio::test]
async fn a_rejected_cancellation_does_not_stop_a_late_payment() {
    for is_expired in [false, true] {
        let scene = Scene::new().await;
        age(&scene.client, scene.id, 120.0).await;
        assert!(matches!(bookings::cancel(&scene.db, scene.id, None).await, Err(Error::BookingExpired)));
        assert_eq!(scene.status().await, BookingStatus::Pending);
        if is_expired {
            assert_eq!(bookings::sweep(&scene.db).await.unwrap(), 1);
            assert!(matches!(bookings::cancel(&scene.db, scene.id, None).await, Err(Error::BookingExpired)));
        }
        assert_eq!(scene.pay("evt_1").await, Recorded::Confirmed);
    }
}

#[tokio::test]
async fn one_of_two_late_payments_wins_the_last_seat() {
    let database = Database::create().await;
    let instances = common::instances(&database.url(), 2).await;
    let client = database.client().await;
    for round in 0..20 {
        let show = priced_show(&instances[0], 2, 1 + round % 2).await.id();
        let mut late = Vec::new();
        for _ in 0..2 {
            let id = bookings::book(&instances[0], &request(show, 1)).await.unwrap().booking.id();
            age(&client, id, 120.0).await;
            late.push(id);
        }
        assert_eq!(bookings::sweep(&instances[0]).await.unwrap(), 2);
        bookings::book(&instances[0], &request(show, 1)).await.unwrap();
        let sent = |n: usize| success(&format!("evt_{round}_{n}"), &format!("pi_{round}_{n}"), late[n], 1);
        let (sent_0, sent_1) = (sent(0), sent(1));
        let (a, b) = tokio::join!(
            payments::record(&instances[0], &sent_0, &common::NO_LIMITS),
            payments::record(&instances[1], &sent_1, &common::NO_LIMITS)
        );
        let sold_out = Recorded::RefundDue(RefundReason::HoldExpiredSoldOut);
        let answers = [a.unwrap(), b.unwrap()];
        assert!(answers.contains(&Recorded::Confirmed) && answers.contains(&sold_out), "{answers:?}");
        assert_invariants(&client).await;
    }
    assert_reconciled(&instances[0]).await;
}

#[tokio::test]
async fn a_payment_of_a_cancelled_booking_is_due_for_refund() {
    let scene = Scene::new().await;
    bookings::cancel(&scene.db, scene.id, None).await.unwrap();
    assert_eq!(scene.pay("evt_1").await, Recorded::RefundDue(RefundReason::BookingCancelled));
    assert_eq!(scene.status().await, BookingStatus::Failed(FailureReason::Cancelled));
    assert_eq!(scene.available().await, 10);
}
