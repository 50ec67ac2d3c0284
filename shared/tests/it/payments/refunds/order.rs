//! The final state of a payment does not depend on the order of its events.

use super::{amount, part, permutations, refund};
use crate::common::{
    NO_LIMITS,
    pay::{FAILED_AS_REFUNDED, FULL, Scene, assert_reconciled, eur, event},
};
use boxoffice_shared::{
    bookings::BookingStatus,
    money::Money,
    payments::{self, PaymentChange, Recorded, RefundState},
};
use boxoffice_testkit::invariants::assert_invariants;

/// The final state of a payment: state, reason, amount returned and amount due.
async fn final_state(scene: &Scene, payment: &str) -> String {
    let sql = "SELECT concat_ws(' ', state, reason, returned_minor, 'due', payment_due(payments)) FROM payments WHERE payment_id = $1";
    scene.client.query_one(sql, &[&payment]).await.unwrap().get(0)
}

/// Records totals, refunds, failures and the success in every order. The payment ends in the same state, and its
/// booking is confirmed exactly if the payment is. If the refund was reported first, the booking was never confirmed
/// and stays pending.
#[tokio::test]
async fn events_of_refunds_end_the_same_in_any_order() {
    use RefundState::{Failed, Pending, Succeeded};
    let unnamed = PaymentChange::RefundFailed;
    let cases: Vec<(Vec<(i64, PaymentChange)>, &str)> = vec![
        // One full refund that fails, whichever events report it.
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
        // A full refund that fails, and one that replaces it.
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
        // Two partial refunds, of which the second fails.
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
        // A partial refund that fails, without and with a replacement.
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
        // Partial refunds that add up to the full amount; no total is reported.
        (
            vec![
                (2, refund("a", 2_000, Succeeded)),
                (3, refund("b", 3_000, Pending)),
                (4, refund("b", 3_000, Succeeded)),
            ],
            "refunded 5000 due 0",
        ),
        // A failure that names no refund.
        (vec![(2, amount(5_000)), (4, unnamed.clone())], "refund_due refund_failed 0 due 5000"),
        (vec![(2, amount(2_000)), (4, unnamed.clone())], "confirmed 0 due 2000"),
        (vec![(2, FULL), (4, unnamed.clone()), (9, FULL)], "refunded refund_failed 5000 due 0"),
        (vec![(2, amount(2_000)), (4, unnamed), (9, amount(2_000))], "confirmed 2000 due 0"),
        // Refunds in another currency do not count, except a failed one, which counts as a failure that names no
        // refund.
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
    for (sent, wanted) in cases {
        let mut all: Vec<_> = sent.into_iter().map(|(at, change)| (at, Some(change))).collect();
        all.push((0, None));
        for order in permutations(&all) {
            number += 1;
            let payment = format!("pi_{number}");
            let id = scene.book().await;
            let mut paid = false;
            for (n, (at, change)) in order.iter().enumerate() {
                let named = change.is_none().then_some(id);
                let change = change.clone().unwrap_or(PaymentChange::Succeeded(eur(5_000)));
                let sent = scene.at(*at, event(&format!("evt_{number}_{n}"), &payment, named, change));
                let recorded = payments::record(&scene.db, &sent, &NO_LIMITS).await.unwrap();
                paid |= recorded == Recorded::Confirmed;
            }
            let case = format!("{order:?}");
            assert_eq!(final_state(&scene, &payment).await, wanted, "{case}");
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
