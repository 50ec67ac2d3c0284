//! Operators list the refunds that are due, and settle them.

use super::{REFUNDED, Scene};
use crate::common::pay::{eur, event, success};
use boxoffice_shared::{
    Error,
    page::PageLimit,
    payments::{self, PaymentState, Provider, Recorded, RefundReason},
};

#[tokio::test]
async fn an_operator_lists_due_refunds_and_settles_them() {
    let scene = Scene::new().await;
    scene.pay("evt_0").await;
    for n in 0..7 {
        scene.record(success(&format!("evt_due_{n}"), &format!("pi_due_{n}"), scene.id, 3)).await;
    }
    let limit: PageLimit = "3".parse().unwrap();
    let (mut seen, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = payments::list(&scene.db, PaymentState::RefundDue, limit, after).await.unwrap();
        pages += 1;
        seen.extend(page.items.iter().map(|payment| payment.payment_id().to_string()));
        // The cursor, as a client would send it back.
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, (0..7).map(|n| format!("pi_due_{n}")).collect::<Vec<_>>());
    assert_eq!(pages, 3);

    let due = "pi_due_3".try_into().unwrap();
    let first = payments::settle(&scene.db, Provider::Stripe, &due).await.unwrap();
    assert_eq!((first.payment.state(), first.changed), (PaymentState::Refunded, true));
    assert_eq!(first.payment.reason(), Some(RefundReason::AlreadyPaid));
    assert_eq!((first.payment.booking_id(), first.payment.amount()), (Some(scene.id), Some(&eur(7_500))));
    let again = payments::settle(&scene.db, Provider::Stripe, &due).await.unwrap();
    assert_eq!((&again.payment, again.changed), (&first.payment, false));
    // The provider's own report of the refund arrives afterwards.
    assert_eq!(scene.record(event("evt_9", "pi_due_3", None, REFUNDED)).await, Recorded::Kept);
    let left = payments::list(&scene.db, PaymentState::RefundDue, PageLimit::DEFAULT, None).await.unwrap();
    assert_eq!(left.items.len(), 6);
    assert!(left.next.is_none());

    let confirmed = payments::settle(&scene.db, Provider::Stripe, &"pi_1".try_into().unwrap()).await;
    assert!(matches!(confirmed, Err(Error::PaymentNotDue)));
    let unknown = payments::settle(&scene.db, Provider::Standard, &due).await;
    assert!(matches!(unknown, Err(Error::PaymentNotFound)));
    scene.assert_consistent().await;
}
