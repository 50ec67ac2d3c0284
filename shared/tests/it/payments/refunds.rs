//! Refunds: each is a row of its own, only money that was received goes back, and what is told ends the same in any order.

use crate::common::{
    self, NO_LIMITS, age, instances,
    pay::{FAILED_AS_REFUNDED, FULL, Scene, assert_reconciled, eur, event, payment, success},
    request,
};
use boxoffice_shared::{
    bookings::{self, BookingId, BookingStatus},
    money::Money,
    page::PageLimit,
    payments::{
        self, PaymentChange, PaymentEvent, PaymentState, Provider, Recorded, Refund, RefundReason, RefundState,
    },
    shows,
};
use boxoffice_testkit::invariants::assert_invariants;

impl Scene {
    /// Records an event of `pi_1` that names no booking, as those of refunds, so many seconds after the test began.
    async fn tell(&self, id: &str, at: i64, change: PaymentChange) -> Recorded {
        self.record(self.at(at, event(id, "pi_1", None, change))).await
    }

    /// The ids of a list, each with the state that it says, what went back, and what is due.
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

/// Stripe tells one failure by `charge.refund.updated`, `refund.updated` and `refund.failed`.
#[tokio::test]
async fn a_refund_that_failed_acts_once_whatever_its_events_are_called() {
    let scene = Scene::new(10).await;
    let id = scene.paid().await;
    assert_eq!(scene.tell("evt_1", 1, FULL).await, Recorded::Refunded);
    assert_eq!(scene.tell("evt_2", 1, refund("re_1", 5_000, RefundState::Succeeded)).await, Recorded::Kept);
    let failed = Recorded::RefundDue(RefundReason::RefundFailed);
    assert_eq!(scene.tell("evt_3", 2, refund("re_1", 5_000, RefundState::Failed)).await, failed);
    for (n, state) in
        [RefundState::Failed, RefundState::Failed, RefundState::Pending, RefundState::Succeeded].into_iter().enumerate()
    {
        assert_eq!(scene.tell(&format!("again_{n}"), 2, refund("re_1", 5_000, state)).await, Recorded::Kept);
    }
    assert_eq!(scene.status(id).await, FAILED_AS_REFUNDED);
    assert_eq!(scene.listed(PaymentState::RefundDue).await, ["pi_1 refund_due 0 5000"]);
    // The refund that mends it has an id of its own.
    assert_eq!(scene.tell("evt_9", 9, refund("re_2", 5_000, RefundState::Pending)).await, Recorded::Refunded);
    assert_eq!(scene.listed(PaymentState::Refunded).await, ["pi_1 refunded 5000 0"]);
    assert_eq!(scene.available().await, 10);
}

#[tokio::test]
async fn of_two_partial_refunds_the_one_that_failed_is_due() {
    let scene = Scene::new(10).await;
    let id = scene.paid().await;
    assert_eq!(scene.tell("evt_1", 1, refund("re_1", 2_500, RefundState::Succeeded)).await, Recorded::Kept);
    assert_eq!(scene.tell("evt_2", 1, part(2_500)).await, Recorded::Kept);
    assert_eq!(scene.status(id).await, BookingStatus::Confirmed);
    assert_eq!(scene.tell("evt_3", 5, refund("re_2", 2_500, RefundState::Pending)).await, Recorded::Refunded);
    assert_eq!(scene.tell("evt_4", 5, FULL).await, Recorded::Kept);
    assert_eq!(scene.status(id).await, FAILED_AS_REFUNDED);
    let failed = scene.tell("evt_5", 7, refund("re_2", 2_500, RefundState::Failed)).await;
    assert_eq!(failed, Recorded::RefundDue(RefundReason::RefundFailed));
    assert_eq!(scene.listed(PaymentState::RefundDue).await, ["pi_1 refund_due 2500 2500"]);
    let page = payments::list(&scene.db, PaymentState::RefundDue, PageLimit::DEFAULT, None).await.unwrap();
    let refunds: Vec<_> = page.items[0].refunds().iter().map(|r| (r.refund_id.as_str(), r.state)).collect();
    assert_eq!(refunds, [("re_1", RefundState::Succeeded), ("re_2", RefundState::Failed)]);
    let settled = payments::settle(&scene.db, Provider::Stripe, &"pi_1".try_into().unwrap()).await.unwrap();
    assert_eq!((settled.payment.state(), settled.payment.refund_due_minor()), (PaymentState::Refunded, 0));
}

/// The booking stands, so the payment does; what failed to go back is seen and settled none the less.
#[tokio::test]
async fn a_partial_refund_that_fails_alone_is_due_and_the_seats_stay() {
    let scene = Scene::new(10).await;
    let id = scene.paid().await;
    assert_eq!(scene.tell("evt_1", 1, refund("re_1", 2_000, RefundState::Succeeded)).await, Recorded::Kept);
    let failed = scene.tell("evt_2", 3, refund("re_1", 2_000, RefundState::Failed)).await;
    assert_eq!(failed, Recorded::RefundDue(RefundReason::RefundFailed));
    assert_eq!(scene.listed(PaymentState::RefundDue).await, ["pi_1 confirmed 0 2000"]);
    assert_eq!(scene.listed(PaymentState::Confirmed).await, ["pi_1 confirmed 0 2000"]);
    // A new attempt is not a second refund.
    assert_eq!(scene.tell("evt_3", 4, refund("re_2", 2_000, RefundState::Succeeded)).await, Recorded::Kept);
    assert_eq!(scene.listed(PaymentState::RefundDue).await, Vec::<String>::new());
    let failed = scene.tell("evt_4", 6, refund("re_2", 2_000, RefundState::Failed)).await;
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
    // All of it, later: the booking goes.
    assert_eq!(scene.tell("evt_5", 60, FULL).await, Recorded::Refunded);
    assert_eq!(scene.status(id).await, FAILED_AS_REFUNDED);
}

/// Authorised 12000, captured the booking's 5000, 7000 released: Stripe counts the 7000 as refunded, and says that it is not all.
#[tokio::test]
async fn only_money_that_was_received_goes_back() {
    for change in [part(7_000), part(5_000), part(4_999), amount(7_000), amount(12_000), amount(4_999)] {
        for early in [true, false] {
            let scene = Scene::new(10).await;
            let id = scene.book().await;
            let paid = success("evt_paid", "pi_1", id, 2);
            if early {
                assert_eq!(scene.tell("evt_1", 1, change.clone()).await, Recorded::Kept);
            }
            assert_eq!(scene.record(paid).await, Recorded::Confirmed, "{change:?}");
            if !early {
                assert_eq!(scene.tell("evt_1", 1, change.clone()).await, Recorded::Kept, "{change:?}");
            }
            assert_eq!(scene.status(id).await, BookingStatus::Confirmed, "{change:?}");
            assert_eq!(scene.available().await, 8);
            assert_eq!(scene.listed(PaymentState::RefundDue).await, Vec::<String>::new());
            // What is refunded of the money that was received still counts.
            assert_eq!(scene.tell("evt_2", 9, FULL).await, Recorded::Refunded);
            assert_eq!(scene.status(id).await, FAILED_AS_REFUNDED);
        }
    }
}

/// How a payment ends, and what became of its booking.
async fn end(scene: &Scene, payment: &str) -> String {
    let sql = "SELECT concat_ws(' ', state, reason, returned_minor, 'due', payment_due(payments)) FROM payments WHERE payment_id = $1";
    scene.client.query_one(sql, &[&payment]).await.unwrap().get(0)
}

/// All orders of these.
fn permutations<T: Clone>(of: &[T]) -> Vec<Vec<T>> {
    if of.is_empty() {
        return vec![vec![]];
    }
    let without = |n: usize| [&of[..n], &of[n + 1..]].concat();
    let begin = |n: usize| permutations(&without(n)).into_iter().map(move |rest| (n, rest)).collect::<Vec<_>>();
    (0..of.len()).flat_map(begin).map(|(n, rest)| [vec![of[n].clone()], rest].concat()).collect()
}

/// Totals, refunds, failures and the success itself, each in every order: the payment ends the same, and its booking is
/// confirmed exactly if the payment is; unless it was never confirmed since the refund was told of first.
#[tokio::test]
async fn every_order_of_what_is_told_of_refunds_ends_the_same() {
    use RefundState::{Failed, Pending, Succeeded};
    let unnamed = PaymentChange::RefundFailed;
    let stories: Vec<(Vec<(i64, PaymentChange)>, &str)> = vec![
        // One refund of all that fails, by whatever is told of it.
        (
            vec![(2, FULL), (2, refund("re", 5_000, Succeeded)), (7, refund("re", 5_000, Failed))],
            "refund_due refund_failed 0 due 5000",
        ),
        (vec![(2, FULL), (7, refund("re", 5_000, Failed))], "refund_due refund_failed 0 due 5000"),
        (
            vec![(2, refund("re", 5_000, Pending)), (7, refund("re", 5_000, Failed))],
            "refund_due refund_failed 0 due 5000",
        ),
        (vec![(7, refund("re", 5_000, Failed))], "refund_due refund_failed 0 due 5000"),
        // And the one that mends it.
        (
            vec![
                (2, FULL),
                (2, refund("re", 5_000, Pending)),
                (7, refund("re", 5_000, Failed)),
                (9, refund("re2", 5_000, Succeeded)),
            ],
            "refunded refund_failed 5000 due 0",
        ),
        (vec![(2, FULL), (7, refund("re", 5_000, Failed)), (9, FULL)], "refunded refund_failed 5000 due 0"),
        // Two parts, of which the second fails.
        (
            vec![
                (2, part(2_500)),
                (2, refund("a", 2_500, Succeeded)),
                (5, FULL),
                (5, refund("b", 2_500, Pending)),
                (7, refund("b", 2_500, Failed)),
            ],
            "refund_due refund_failed 2500 due 2500",
        ),
        // A part that fails alone; and one that is mended.
        (
            vec![(2, part(2_500)), (2, refund("a", 2_500, Succeeded)), (7, refund("a", 2_500, Failed))],
            "confirmed 0 due 2500",
        ),
        (vec![(2, part(1_000)), (3, part(2_500)), (7, refund("a", 1_500, Failed))], "confirmed 1000 due 1500"),
        (
            vec![
                (2, part(2_500)),
                (7, refund("a", 2_500, Failed)),
                (9, part(2_500)),
                (9, refund("b", 2_500, Succeeded)),
            ],
            "confirmed 2500 due 0",
        ),
        // Parts that are all of it, without a total.
        (
            vec![
                (2, refund("a", 2_000, Succeeded)),
                (3, refund("b", 3_000, Pending)),
                (4, refund("b", 3_000, Succeeded)),
            ],
            "refunded 5000 due 0",
        ),
        // A failure that does not say of which refund.
        (vec![(2, amount(5_000)), (4, unnamed.clone())], "refund_due refund_failed 0 due 5000"),
        (vec![(2, amount(2_000)), (4, unnamed.clone())], "confirmed 0 due 2000"),
        (vec![(2, FULL), (4, unnamed.clone()), (9, FULL)], "refunded refund_failed 5000 due 0"),
        (vec![(2, amount(2_000)), (4, unnamed), (9, amount(2_000))], "confirmed 2000 due 0"),
        // In another currency: it is not the payment's money, but for one that fails.
        (
            vec![
                (2, FULL),
                (
                    7,
                    PaymentChange::Refund {
                        id: "usd".try_into().unwrap(),
                        amount: Money::new(5_480, "USD").unwrap(),
                        state: Failed,
                    },
                ),
            ],
            "refund_due refund_failed 0 due 5000",
        ),
    ];
    let scene = Scene::new(100_000).await;
    let mut number = 0;
    for (told, wanted) in stories {
        let mut all: Vec<_> = told.into_iter().map(|(at, change)| (at, Some(change))).collect();
        all.push((0, None));
        for order in permutations(&all) {
            number += 1;
            let payment = format!("pi_{number}");
            let id = scene.book().await;
            let mut paid = false;
            for (n, (at, change)) in order.iter().enumerate() {
                let named = change.is_none().then_some(id);
                let change = change.clone().unwrap_or(PaymentChange::Succeeded(eur(5_000)));
                let told = scene.at(*at, event(&format!("evt_{number}_{n}"), &payment, named, change));
                let recorded = payments::record(&scene.db, &told, &NO_LIMITS).await.unwrap();
                paid |= recorded == Recorded::Confirmed;
            }
            let case = format!("{order:?}");
            assert_eq!(end(&scene, &payment).await, wanted, "{case}");
            let status = if wanted.starts_with("confirmed") {
                BookingStatus::Confirmed
            } else if paid {
                FAILED_AS_REFUNDED
            } else {
                BookingStatus::Pending
            };
            assert_eq!(scene.status(id).await, status, "{case}");
        }
    }
    assert_invariants(&scene.client).await;
    assert_reconciled(&scene.db).await;
}

/// Whoever gave the money back and says so, and finds out later that it came back.
#[tokio::test]
async fn a_refund_that_fails_after_it_was_settled_is_due_again() {
    let scene = Scene::new(10).await;
    scene.paid().await;
    assert_eq!(scene.tell("evt_1", -9, FULL).await, Recorded::Refunded);
    let failed = Recorded::RefundDue(RefundReason::RefundFailed);
    assert_eq!(scene.tell("evt_2", -5, refund("re_1", 5_000, RefundState::Failed)).await, failed);
    let pi_1 = "pi_1".try_into().unwrap();
    assert!(payments::settle(&scene.db, Provider::Stripe, &pi_1).await.unwrap().changed);
    // The failure is told again, and what settled it is told of: nothing new.
    assert_eq!(scene.tell("evt_3", -5, refund("re_1", 5_000, RefundState::Failed)).await, Recorded::Kept);
    assert_eq!(scene.tell("evt_4", 60, refund("re_2", 5_000, RefundState::Succeeded)).await, Recorded::Kept);
    assert_eq!(scene.tell("evt_5", 90, refund("re_2", 5_000, RefundState::Failed)).await, failed);
    assert_eq!(scene.listed(PaymentState::RefundDue).await, ["pi_1 refund_due 0 5000"]);
}

/// Rows of the version before refunds were rows, and what that version still does while this one is deployed.
#[tokio::test]
async fn what_an_older_version_left_and_does_is_understood() {
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
    // It settles by a statement of its own.
    let settle = "UPDATE payments SET state = 'refunded', refund_told_at = clock_timestamp() WHERE payment_id = 'pi_2'";
    scene.client.execute(settle, &[]).await.unwrap();
    // And this is how it left a payment that was refunded before the migration.
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

/// Another shop of the same account, or a staging stack: nothing of it is ours to send back or to keep.
#[tokio::test]
async fn a_payment_that_names_no_booking_is_not_ours_to_send_back() {
    let scene = Scene::new(10).await;
    let id = scene.book().await;
    let payload = |event: PaymentEvent| PaymentEvent { payload: r#"{"name": "Stranger"}"#.into(), ..event };
    let paid = PaymentChange::Succeeded(eur(5_000));
    assert_eq!(scene.record(payload(event("evt_1", "pi_x", None, paid.clone()))).await, Recorded::Unclaimed);
    assert_eq!(payment(&scene.client, "pi_x").await, ("unclaimed".into(), Some("names_no_booking".into())));
    // Neither is what is told of it later, or was before.
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
    // One that names a booking that does not exist is seen.
    let nobody = BookingId::generate(scene.show);
    let unknown = scene.record(payload(success("evt_2", "pi_2", nobody, 2))).await;
    assert_eq!(unknown, Recorded::RefundDue(RefundReason::UnknownBooking));
    assert_eq!(scene.listed(PaymentState::RefundDue).await, ["pi_2 refund_due 0 5000"]);
    assert_eq!(scene.client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0), 1);
    // Another event of one success may name it: Stripe's payment intent without metadata, then its checkout session.
    assert_eq!(scene.record(event("evt_3", "pi_3", None, paid)).await, Recorded::Unclaimed);
    assert_eq!(scene.record(success("evt_4", "pi_3", id, 2)).await, Recorded::Confirmed);
    assert_eq!(payment(&scene.client, "pi_3").await, ("confirmed".into(), None));
}

/// The three events in each order: the second payment pays for the booking, whose seats were never free but for the order in
/// which the refund is told of before the second payment is.
#[tokio::test]
async fn a_second_payment_takes_the_place_of_a_first_that_is_refunded() {
    for order in permutations(&[0, 1, 2]) {
        let scene = Scene::new(2).await;
        let id = scene.book().await;
        let told = [
            scene.at(0, success("evt_1", "pi_1", id, 2)),
            scene.at(1, success("evt_2", "pi_2", id, 2)),
            scene.at(5, event("evt_3", "pi_1", None, FULL)),
        ];
        for n in &order {
            scene.record(told[*n].clone()).await;
            if *n != 2 || order != [0, 2, 1] {
                assert_eq!(scene.available().await, 0, "{order:?}");
            }
        }
        assert_eq!(scene.status(id).await, BookingStatus::Confirmed, "{order:?}");
        assert_eq!(payment(&scene.client, "pi_1").await.0, "refunded", "{order:?}");
        assert_eq!(payment(&scene.client, "pi_2").await, ("confirmed".into(), None), "{order:?}");
        // The second one is refunded, too: nothing pays for it any more.
        assert_eq!(scene.record(scene.at(9, event("evt_4", "pi_2", None, FULL))).await, Recorded::Refunded);
        assert_eq!(scene.status(id).await, FAILED_AS_REFUNDED);
        assert_eq!(scene.available().await, 2);
    }
}

/// What was given back of it, or is of another amount, takes nobody's place; and of several one does.
#[tokio::test]
async fn only_a_payment_that_is_whole_takes_the_place_of_another() {
    let scene = Scene::new(10).await;
    let id = scene.paid().await;
    for n in 2..=4 {
        let told = success(&format!("evt_{n}"), &format!("pi_{n}"), id, 2);
        assert_eq!(scene.record(told).await, Recorded::RefundDue(RefundReason::AlreadyPaid));
    }
    let settled = payments::settle(&scene.db, Provider::Stripe, &"pi_2".try_into().unwrap()).await.unwrap();
    assert!(settled.changed);
    let given = refund("re_3", 1, RefundState::Succeeded);
    assert_eq!(scene.record(event("evt_5", "pi_3", None, given)).await, Recorded::Kept);
    assert_eq!(scene.tell("evt_6", 5, FULL).await, Recorded::Refunded);
    assert_eq!(payment(&scene.client, "pi_4").await, ("confirmed".into(), None));
    assert_eq!(scene.status(id).await, BookingStatus::Confirmed);
    assert_eq!(scene.record(scene.at(9, event("evt_7", "pi_4", None, FULL))).await, Recorded::Refunded);
    assert_eq!(scene.status(id).await, FAILED_AS_REFUNDED);
    assert_eq!(scene.listed(PaymentState::RefundDue).await, ["pi_3 refund_due 1 4999"]);
}

/// All three at once, many times: the booking is always paid for in the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_and_a_second_payment_at_once_leave_the_booking_paid() {
    let scene = Scene::new(400).await;
    let dbs = instances(&scene.database.url(), 3).await;
    for round in 0..100 {
        let id = scene.book().await;
        let first = success(&format!("a{round}"), &format!("p{round}"), id, 2);
        let told = [
            scene.at(0, first.clone()),
            scene.at(1, success(&format!("b{round}"), &format!("q{round}"), id, 2)),
            scene.at(5, event(&format!("c{round}"), &format!("p{round}"), None, FULL)),
        ];
        if round % 2 == 0 {
            payments::record(&dbs[0], &told[0], &NO_LIMITS).await.unwrap();
        }
        let (a, b, c) = tokio::join!(
            payments::record(&dbs[0], &told[0], &NO_LIMITS),
            payments::record(&dbs[1], &told[1], &NO_LIMITS),
            payments::record(&dbs[2], &told[2], &NO_LIMITS),
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

/// A free order: its amount is what the booking costs, 0. A discount of all is not: nothing was paid of what it costs.
#[tokio::test]
async fn a_free_order_confirms_what_costs_nothing() {
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
        // What is told of refunds of it is of nothing.
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
