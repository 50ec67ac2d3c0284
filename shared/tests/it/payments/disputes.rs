//! Disputes: a disputed payment keeps its seats until the dispute is won, or is lost and an operator decides.

use super::refunds::permutations;
use crate::common::{
    NO_LIMITS, instances,
    pay::{FAILED_AS_REFUNDED, FULL, Scene, assert_reconciled, eur, event, payment, success},
};
use boxoffice_shared::{
    Error,
    bookings::{BookingId, BookingStatus},
    page::PageLimit,
    payments::{
        self, DisputeDecision, DisputeState, PaymentChange, PaymentEvent, PaymentId, PaymentState, Provider, Recorded,
        RefundReason, RefundState,
    },
};
use boxoffice_testkit::invariants::assert_invariants;

use DisputeState::{Closed, FundsReinstated, FundsWithdrawn, Lost, Opened, Won};

impl Scene {
    /// Records a report of the dispute `dp_1` about `pi_1`, `at` seconds after the test began.
    async fn dispute(&self, at: i64, state: DisputeState) -> Recorded {
        self.report_of("pi_1", at, disputed("dp_1", None, state)).await
    }

    async fn report_of(&self, payment: &str, at: i64, change: PaymentChange) -> Recorded {
        // A new event each time.
        let id = format!("evt_{}", BookingId::generate(self.show));
        self.record(self.at(at, event(&id, payment, None, change))).await
    }

    async fn decide(&self, payment: &str, decision: DisputeDecision) -> Result<payments::DecidedDispute, Error> {
        let decided = payments::decide_dispute(&self.db, Provider::Stripe, &id_of(payment), decision).await;
        assert_invariants(&self.client).await;
        assert_reconciled(&self.db).await;
        decided
    }

    /// The states whose lists contain the payment.
    async fn lists_of(&self, payment: &str) -> Vec<PaymentState> {
        let mut lists = Vec::new();
        for state in PaymentState::ALL {
            let page = payments::list(&self.db, *state, PageLimit::DEFAULT, None).await.unwrap();
            if page.items.iter().any(|listed| listed.payment_id().as_str() == payment) {
                lists.push(*state);
            }
        }
        lists
    }

    /// Asserts that only the list of this state contains `pi_1`.
    async fn assert_listed_as(&self, state: PaymentState) {
        assert_eq!(self.lists_of("pi_1").await, [state]);
    }
}

fn id_of(payment: &str) -> PaymentId {
    payment.try_into().unwrap()
}

fn disputed(id: &str, minor: Option<i64>, state: DisputeState) -> PaymentChange {
    PaymentChange::Disputed { id: id.try_into().unwrap(), amount: minor.map(eur), state }
}

#[tokio::test]
async fn a_disputed_payment_keeps_its_seats_and_is_confirmed_again_once_won() {
    for end in [Won, Closed] {
        let scene = Scene::new(10).await;
        let id = scene.paid().await;
        scene.assert_listed_as(PaymentState::Confirmed).await;
        assert_eq!(scene.dispute(1, Opened).await, Recorded::Disputed);
        scene.assert_listed_as(PaymentState::Disputed).await;
        // A report without news has no effect.
        assert_eq!(scene.dispute(1, Opened).await, Recorded::Kept);
        assert_eq!(scene.dispute(2, FundsWithdrawn).await, Recorded::Disputed);
        assert_eq!(scene.dispute(1, Opened).await, Recorded::Kept);
        assert_eq!(scene.status(id).await, BookingStatus::Confirmed);
        assert_eq!(scene.available().await, 8);
        // The booking is still paid, so a second payment is due for refund.
        let second = scene.record(success("evt_2", "pi_2", id, 2)).await;
        assert_eq!(second, Recorded::RefundDue(RefundReason::AlreadyPaid));
        for decision in [DisputeDecision::Keep, DisputeDecision::Cancel] {
            assert!(matches!(scene.decide("pi_1", decision).await, Err(Error::DisputeNotLost)));
        }
        assert_eq!(scene.dispute(9, end).await, Recorded::Kept);
        assert_eq!(scene.dispute(9, FundsReinstated).await, Recorded::Kept);
        scene.assert_listed_as(PaymentState::Confirmed).await;
        assert_eq!(scene.status(id).await, BookingStatus::Confirmed);
    }
}

#[tokio::test]
async fn an_operator_keeps_or_cancels_the_booking_of_a_lost_dispute() {
    use DisputeDecision::{Cancel, Keep};
    for (decision, other) in [(Keep, Cancel), (Cancel, Keep)] {
        let scene = Scene::new(10).await;
        let id = scene.paid().await;
        scene.dispute(1, Opened).await;
        assert_eq!(scene.dispute(9, Lost).await, Recorded::Disputed);
        scene.assert_listed_as(PaymentState::Disputed).await;
        assert_eq!(scene.status(id).await, BookingStatus::Confirmed);
        for changed in [true, false] {
            let decided = scene.decide("pi_1", decision).await.unwrap();
            assert_eq!(decided.changed, changed);
            assert_eq!(decided.payment.disputes()[0].decision, Some(decision));
        }
        assert!(matches!(scene.decide("pi_1", other).await, Err(Error::DisputeNotLost)));
        // A repeated report of the loss does not undo the decision.
        assert_eq!(scene.dispute(10, Lost).await, Recorded::Kept);
        if decision == Keep {
            scene.assert_listed_as(PaymentState::Confirmed).await;
            assert_eq!((scene.status(id).await, scene.available().await), (BookingStatus::Confirmed, 8));
        } else {
            scene.assert_listed_as(PaymentState::Refunded).await;
            assert_eq!((scene.status(id).await, scene.available().await), (FAILED_AS_REFUNDED, 10));
            // The bank reverses its decision: the money is back, but the booking is gone.
            assert_eq!(scene.dispute(20, Won).await, Recorded::RefundDue(RefundReason::DisputeLost));
            scene.assert_listed_as(PaymentState::RefundDue).await;
        }
        let unknown = scene.decide("pi_9", decision).await;
        assert!(matches!(unknown, Err(Error::PaymentNotFound)));
    }
}

/// The dispute is about a part of the payment. The rest of it pays for nothing after the booking is cancelled.
#[tokio::test]
async fn the_rest_of_a_partly_lost_payment_is_due_for_refund() {
    let scene = Scene::new(10).await;
    scene.paid().await;
    scene.report_of("pi_1", 1, disputed("dp_1", Some(2_000), Lost)).await;
    let decided = scene.decide("pi_1", DisputeDecision::Cancel).await.unwrap().payment;
    assert_eq!((decided.state(), decided.reason()), (PaymentState::RefundDue, Some(RefundReason::DisputeLost)));
    assert_eq!((decided.refunded_minor(), decided.refund_due_minor()), (2_000, 3_000));
    let refund =
        PaymentChange::Refund { id: "re_1".try_into().unwrap(), amount: eur(3_000), state: RefundState::Succeeded };
    assert_eq!(scene.report_of("pi_1", 5, refund).await, Recorded::Refunded);
    scene.assert_listed_as(PaymentState::Refunded).await;
}

#[tokio::test]
async fn a_second_payment_replaces_one_lost_in_a_dispute() {
    let scene = Scene::new(10).await;
    let id = scene.paid().await;
    let second = scene.record(success("evt_2", "pi_2", id, 2)).await;
    assert_eq!(second, Recorded::RefundDue(RefundReason::AlreadyPaid));
    scene.dispute(1, Lost).await;
    let decided = scene.decide("pi_1", DisputeDecision::Cancel).await.unwrap().payment;
    assert_eq!(decided.state(), PaymentState::Refunded);
    assert_eq!(payment(&scene.client, "pi_2").await, ("confirmed".into(), None));
    assert_eq!((scene.status(id).await, scene.available().await), (BookingStatus::Confirmed, 8));
}

/// Records the success and all events of one dispute in every order.
#[tokio::test]
async fn events_of_a_dispute_end_the_same_in_any_order() {
    let scene = Scene::new(100_000).await;
    let mut number = 0;
    for (sent, state, end) in [
        (vec![(1, Opened), (2, FundsWithdrawn), (9, Won), (9, FundsReinstated)], PaymentState::Confirmed, Won),
        (vec![(1, Opened), (2, FundsWithdrawn), (9, Lost)], PaymentState::Disputed, Lost),
        (vec![(1, Opened), (2, FundsWithdrawn), (2, FundsReinstated)], PaymentState::Disputed, FundsReinstated),
        (vec![(1, Opened), (9, Lost), (20, Won)], PaymentState::Confirmed, Won),
        (vec![(1, Opened), (9, Closed)], PaymentState::Confirmed, Closed),
    ] {
        let mut all: Vec<_> = sent.into_iter().map(|(at, state)| (at, Some(state))).collect();
        all.push((0, None));
        for order in permutations(&all) {
            number += 1;
            let (id, payment) = (scene.book().await, format!("pi_{number}"));
            for (n, (at, state)) in order.iter().enumerate() {
                let sent = match state {
                    Some(state) => event("x", &payment, None, disputed("dp", Some(5_000), *state)),
                    None => success("x", &payment, id, 2),
                };
                let event_id = format!("evt_{number}_{n}").as_str().try_into().unwrap();
                let sent = PaymentEvent { event_id, ..scene.at(*at, sent) };
                payments::record(&scene.db, &sent, &NO_LIMITS).await.unwrap();
            }
            let sql = "SELECT concat_ws(' ', shown_state, payment_disputes.state)
                FROM payments CROSS JOIN payment_report(payments) JOIN payment_disputes USING (payment_id)
                WHERE payment_id = $1";
            let found: String = scene.client.query_one(sql, &[&payment]).await.unwrap().get(0);
            assert_eq!(found, format!("{state} {}", end.as_str()), "{order:?}");
            assert_eq!(scene.status(id).await, BookingStatus::Confirmed, "{order:?}");
        }
    }
    assert_invariants(&scene.client).await;
    assert_reconciled(&scene.db).await;
}

/// The bank has the money, so an operator must not refund it again.
#[tokio::test]
async fn a_disputed_payment_is_not_listed_as_refund_due() {
    let scene = Scene::new(10).await;
    let id = scene.paid().await;
    scene.record(success("evt_2", "pi_2", id, 2)).await;
    assert_eq!(scene.lists_of("pi_2").await, [PaymentState::RefundDue]);
    assert_eq!(scene.report_of("pi_2", 1, disputed("dp_2", None, Opened)).await, Recorded::Disputed);
    assert_eq!(scene.lists_of("pi_2").await, [PaymentState::Disputed]);
    // The payment confirmed no booking, so there is nothing to decide.
    assert_eq!(scene.report_of("pi_2", 9, disputed("dp_2", None, Lost)).await, Recorded::Refunded);
    assert_eq!(scene.lists_of("pi_2").await, [PaymentState::Refunded]);
    assert!(matches!(scene.decide("pi_2", DisputeDecision::Keep).await, Err(Error::DisputeNotLost)));
    // If the dispute is won, the money is due as before.
    scene.record(success("evt_3", "pi_3", id, 2)).await;
    scene.report_of("pi_3", 1, disputed("dp_3", None, Opened)).await;
    scene.report_of("pi_3", 9, disputed("dp_3", None, Won)).await;
    assert_eq!(scene.lists_of("pi_3").await, [PaymentState::RefundDue]);
}

#[tokio::test]
async fn a_payment_refunded_while_disputed_loses_its_booking() {
    for (end, lists) in [(Won, PaymentState::Refunded), (Lost, PaymentState::Refunded)] {
        let scene = Scene::new(10).await;
        let id = scene.paid().await;
        scene.dispute(1, Opened).await;
        assert_eq!(scene.report_of("pi_1", 2, FULL).await, Recorded::Refunded);
        assert_eq!((scene.status(id).await, scene.available().await), (FAILED_AS_REFUNDED, 10));
        scene.assert_listed_as(PaymentState::Disputed).await;
        assert_eq!(scene.dispute(9, end).await, Recorded::Kept);
        scene.assert_listed_as(lists).await;
    }
}

/// A payment that succeeded without naming a booking belongs to another shop of the account, and so does its dispute. A
/// payment whose success is not known yet may be ours.
#[tokio::test]
async fn a_dispute_of_an_unclaimed_payment_is_ignored() {
    let scene = Scene::new(10).await;
    scene.record(event("evt_1", "pi_x", None, PaymentChange::Succeeded(eur(5_000)))).await;
    assert_eq!(scene.report_of("pi_x", 1, disputed("dp_1", None, Opened)).await, Recorded::Kept);
    assert_eq!(scene.lists_of("pi_x").await, [PaymentState::Unclaimed]);
    assert_eq!(scene.report_of("pi_y", 1, disputed("dp_1", None, Opened)).await, Recorded::Disputed);
    assert_eq!(scene.lists_of("pi_y").await, [PaymentState::Disputed]);
    let id = scene.book().await;
    assert_eq!(scene.record(success("evt_2", "pi_y", id, 2)).await, Recorded::Confirmed);
    assert_eq!(scene.lists_of("pi_y").await, [PaymentState::Disputed]);
}

/// An operator cancels while the provider reports a refund and a second payment: the seats are released at most once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_decision_and_refund_release_the_seats_once() {
    let scene = Scene::new(1_000).await;
    let dbs = instances(&scene.database.url(), 3).await;
    for round in 0..60 {
        let id = scene.book().await;
        let (first, second) = (format!("p{round}"), format!("q{round}"));
        payments::record(&dbs[0], &success(&format!("a{round}"), &first, id, 2), &NO_LIMITS).await.unwrap();
        let lost = event(&format!("b{round}"), &first, None, disputed("dp", None, Lost));
        payments::record(&dbs[0], &lost, &NO_LIMITS).await.unwrap();
        let refund = scene.at(60, event(&format!("c{round}"), &first, None, FULL));
        let again = success(&format!("d{round}"), &second, id, 2);
        let payment_id = id_of(&first);
        let (decided, refunded, paid) = tokio::join!(
            payments::decide_dispute(&dbs[0], Provider::Stripe, &payment_id, DisputeDecision::Cancel),
            payments::record(&dbs[1], &refund, &NO_LIMITS),
            async {
                if round % 2 == 0 { Some(payments::record(&dbs[2], &again, &NO_LIMITS).await.unwrap()) } else { None }
            },
        );
        assert!(matches!(decided, Ok(_) | Err(Error::DisputeNotLost)), "{decided:?}");
        assert!(matches!(refunded, Ok(Recorded::Refunded | Recorded::Kept)), "{refunded:?}");
        assert_eq!(payment(&scene.client, &first).await.0, "refunded");
        let status = scene.status(id).await;
        assert_eq!(
            status == BookingStatus::Confirmed,
            paid.is_some() && payment(&scene.client, &second).await.0 == "confirmed"
        );
    }
    assert_invariants(&scene.client).await;
    assert_reconciled(&scene.db).await;
}
