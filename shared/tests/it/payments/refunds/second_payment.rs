//! A second payment of a booking replaces a first one that is refunded.

use super::{permutations, refund};
use crate::common::{
    NO_LIMITS, instances,
    pay::{FAILED_AS_REFUNDED, FULL, Scene, assert_reconciled, event, payment, success},
};
use boxoffice_shared::{
    bookings::BookingStatus,
    payments::{self, PaymentState, Provider, Recorded, RefundReason, RefundState},
};
use boxoffice_testkit::invariants::assert_invariants;

/// Records the three events in each order. The second payment confirms the booking. Its seats become free in between
/// only if the refund is reported before the second payment.
#[tokio::test]
async fn a_second_payment_replaces_a_refunded_first() {
    for order in permutations(&[0, 1, 2]) {
        let scene = Scene::new(2).await;
        let id = scene.book().await;
        let sent = [
            scene.at(0, success("evt_1", "pi_1", id, 2)),
            scene.at(1, success("evt_2", "pi_2", id, 2)),
            scene.at(5, event("evt_3", "pi_1", None, FULL)),
        ];
        for n in &order {
            scene.record(sent[*n].clone()).await;
            if *n != 2 || order != [0, 2, 1] {
                assert_eq!(scene.available().await, 0, "{order:?}");
            }
        }
        assert_eq!(scene.status(id).await, BookingStatus::Confirmed, "{order:?}");
        assert_eq!(payment(&scene.client, "pi_1").await.0, "refunded", "{order:?}");
        assert_eq!(payment(&scene.client, "pi_2").await, ("confirmed".into(), None), "{order:?}");
        // The second payment is refunded too, so no payment is left for the booking.
        assert_eq!(scene.record(scene.at(9, event("evt_4", "pi_2", None, FULL))).await, Recorded::Refunded);
        assert_eq!(scene.status(id).await, FAILED_AS_REFUNDED);
        assert_eq!(scene.available().await, 2);
    }
}

/// A payment that was settled or partly refunded does not replace another. If several can, one does.
#[tokio::test]
async fn only_an_unrefunded_payment_replaces_another() {
    let scene = Scene::new(10).await;
    let id = scene.paid().await;
    for n in 2..=4 {
        let sent = success(&format!("evt_{n}"), &format!("pi_{n}"), id, 2);
        assert_eq!(scene.record(sent).await, Recorded::RefundDue(RefundReason::AlreadyPaid));
    }
    let settled = payments::settle(&scene.db, Provider::Stripe, &"pi_2".try_into().unwrap()).await.unwrap();
    assert!(settled.changed);
    let given = refund("re_3", 1, RefundState::Succeeded);
    assert_eq!(scene.record(event("evt_5", "pi_3", None, given)).await, Recorded::Kept);
    assert_eq!(scene.report("evt_6", 5, FULL).await, Recorded::Refunded);
    assert_eq!(payment(&scene.client, "pi_4").await, ("confirmed".into(), None));
    assert_eq!(scene.status(id).await, BookingStatus::Confirmed);
    assert_eq!(scene.record(scene.at(9, event("evt_7", "pi_4", None, FULL))).await, Recorded::Refunded);
    assert_eq!(scene.status(id).await, FAILED_AS_REFUNDED);
    assert_eq!(scene.listed(PaymentState::RefundDue).await, ["pi_3 refund_due 1 4999"]);
}

/// Both payments and the refund at once, many times: in the end the booking is confirmed by the second payment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_refund_and_second_payment_leave_the_booking_paid() {
    let scene = Scene::new(400).await;
    let dbs = instances(&scene.database.url(), 3).await;
    for round in 0..100 {
        let id = scene.book().await;
        let first = success(&format!("a{round}"), &format!("p{round}"), id, 2);
        let sent = [
            scene.at(0, first.clone()),
            scene.at(1, success(&format!("b{round}"), &format!("q{round}"), id, 2)),
            scene.at(5, event(&format!("c{round}"), &format!("p{round}"), None, FULL)),
        ];
        if round % 2 == 0 {
            payments::record(&dbs[0], &sent[0], &NO_LIMITS).await.unwrap();
        }
        let (a, b, c) = tokio::join!(
            payments::record(&dbs[0], &sent[0], &NO_LIMITS),
            payments::record(&dbs[1], &sent[1], &NO_LIMITS),
            payments::record(&dbs[2], &sent[2], &NO_LIMITS),
        );
        let case = format!("{round}: {a:?} {b:?} {c:?}");
        assert!(a.is_ok() && b.is_ok() && c.is_ok(), "{case}");
        assert_eq!(scene.status(id).await, BookingStatus::Confirmed, "{case}");
        assert_eq!(payment(&scene.client, &format!("p{round}")).await.0, "refunded", "{case}");
        assert_eq!(payment(&scene.client, &format!("q{round}")).await.0, "confirmed", "{case}");
    }
    assert_invariants(&scene.client).await;
    assert_reconciled(&scene.db).await;
}
