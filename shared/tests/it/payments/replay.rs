//! Replaying events that were unreadable when they arrived and can be read now.

use crate::common::{
    self, db, instances,
    pay::{assert_reconciled, event, payment, priced_show, success},
    request,
};
use boxoffice_shared::{
    Error,
    bookings::{self, BookingId, BookingStatus},
    holders::Viewer,
    payments::{self, Payload, PaymentChange, PaymentEvent, Provider, Recorded, Refund, RefundReason},
    platform::db::Db,
};
use boxoffice_testkit::{invariants::assert_invariants, postgres::Database};
use tokio::task::JoinSet;

async fn scene() -> (Database, Db, BookingId) {
    let database = Database::create().await;
    let db = db(&database, 1);
    let show = priced_show(&db, 10, 2).await.id();
    let id = bookings::book(&db, &request(show, 3)).await.unwrap().booking.id();
    (database, db, id)
}

/// The event as it was recorded when only its id could be read.
fn unreadable(of: &PaymentEvent) -> PaymentEvent {
    PaymentEvent { payment_id: None, booking_id: None, change: PaymentChange::Unreadable, ..of.clone() }
}

#[tokio::test]
async fn an_event_is_applied_once_it_is_understood() {
    let (database, db, id) = scene().await;
    let client = database.client().await;
    let paid = PaymentEvent { payload: "{\"kept\": 1}".into(), ..success("evt_1", "pi_1", id, 3) };
    assert_eq!(payments::record(&db, &unreadable(&paid), &common::NO_LIMITS).await.unwrap(), Recorded::Kept);
    let (kept, payload) = payments::get_event(&db, Provider::Stripe, &paid.event_id).await.unwrap();
    assert!(kept.is_unreadable() && !kept.is_cut());
    assert_eq!(payload, Payload::from("{\"kept\": 1}"));

    // The replay must not change the stored payload.
    let readable = PaymentEvent { payload: "other".into(), ..paid };
    assert_eq!(payments::replay(&db, &readable, &common::NO_LIMITS).await.unwrap(), Recorded::Confirmed);
    assert_eq!(bookings::get(&db, id, Viewer::Bearer(None)).await.unwrap().status(), BookingStatus::Confirmed);
    let (kept, payload) = payments::get_event(&db, Provider::Stripe, &readable.event_id).await.unwrap();
    let json = serde_json::to_value(&kept).unwrap();
    assert_eq!((json["change"].as_str(), json["outcome"].as_str()), (Some("succeeded"), Some("confirmed")));
    assert_eq!((json["payment_id"].as_str(), json["booking_id"].as_str()), (Some("pi_1"), Some(&*id.to_string())));
    assert_eq!(payload, Payload::from("{\"kept\": 1}"));
    // It has no second effect, whether it is replayed or delivered again.
    assert_eq!(payments::replay(&db, &readable, &common::NO_LIMITS).await.unwrap(), Recorded::Repeated);
    assert_eq!(payments::record(&db, &readable, &common::NO_LIMITS).await.unwrap(), Recorded::Repeated);
    assert_invariants(&client).await;
    assert_reconciled(&db).await;
}

#[tokio::test]
async fn a_replayed_event_has_its_normal_effect() {
    let (database, db, id) = scene().await;
    let client = database.client().await;
    payments::record(&db, &success("evt_1", "pi_1", id, 3), &common::NO_LIMITS).await.unwrap();
    let refund = event("evt_2", "pi_1", Some(id), PaymentChange::Refunded(Refund::Full));
    let second = success("evt_3", "pi_2", id, 3);
    let other = event("evt_4", "pi_9", None, PaymentChange::Other);
    for event in [&refund, &second, &other] {
        payments::record(&db, &unreadable(event), &common::NO_LIMITS).await.unwrap();
    }
    let already = Recorded::RefundDue(RefundReason::AlreadyPaid);
    assert_eq!(payments::replay(&db, &second, &common::NO_LIMITS).await.unwrap(), already);
    assert_eq!(payments::replay(&db, &refund, &common::NO_LIMITS).await.unwrap(), Recorded::Refunded);
    assert_eq!(payments::replay(&db, &other, &common::NO_LIMITS).await.unwrap(), Recorded::Kept);
    assert_eq!(payment(&client, "pi_1").await.0, "refunded");
    assert!(payments::list_unreadable(&db, "10".parse().unwrap(), None).await.unwrap().items.is_empty());
    assert_invariants(&client).await;
    assert_reconciled(&db).await;
}

#[tokio::test]
async fn twenty_concurrent_replays_have_one_effect() {
    let (database, db, id) = scene().await;
    let paid = success("evt_1", "pi_1", id, 3);
    payments::record(&db, &unreadable(&paid), &common::NO_LIMITS).await.unwrap();
    let mut calls = JoinSet::new();
    for db in instances(&database.url(), 20).await {
        let paid = paid.clone();
        calls.spawn(async move { payments::replay(&db, &paid, &common::NO_LIMITS).await.unwrap() });
    }
    let outcomes = calls.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Recorded::Confirmed).count(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Recorded::Repeated).count(), 19);
    assert_reconciled(&db).await;
}

#[tokio::test]
async fn an_unknown_event_cannot_be_replayed() {
    let (_database, db, id) = scene().await;
    let paid = success("evt_1", "pi_1", id, 3);
    assert!(matches!(payments::replay(&db, &paid, &common::NO_LIMITS).await, Err(Error::EventNotFound)));
    assert!(matches!(payments::get_event(&db, Provider::Stripe, &paid.event_id).await, Err(Error::EventNotFound)));
    assert_eq!(bookings::get(&db, id, Viewer::Bearer(None)).await.unwrap().status(), BookingStatus::Pending);
    // The same id from another provider is another event.
    payments::record(&db, &unreadable(&paid), &common::NO_LIMITS).await.unwrap();
    let other = PaymentEvent { provider: Provider::Standard, ..paid };
    assert!(matches!(payments::replay(&db, &other, &common::NO_LIMITS).await, Err(Error::EventNotFound)));
}

#[tokio::test]
async fn unreadable_events_are_listed_page_by_page() {
    let (_database, db, id) = scene().await;
    let events: Vec<_> = (0..7).map(|n| success(&format!("evt.{n}"), &format!("pi_{n}"), id, 3)).collect();
    for event in &events {
        payments::record(&db, &unreadable(event), &common::NO_LIMITS).await.unwrap();
    }
    payments::record(&db, &event("evt_other", "pi_9", None, PaymentChange::Other), &common::NO_LIMITS).await.unwrap();
    let mut long = unreadable(&success("evt.7", "pi_7", id, 3));
    long.payload = "ü".repeat(40_000).as_str().into();
    payments::record(&db, &long, &common::NO_LIMITS).await.unwrap();
    let (mut seen, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = payments::list_unreadable(&db, "3".parse().unwrap(), after).await.unwrap();
        pages += 1;
        seen.extend(page.items.iter().map(|event| (event.event_id().to_string(), event.is_cut())));
        // The cursor, as a client would send it back.
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(pages, 3);
    assert_eq!(seen, (0..8).map(|n| (format!("evt.{n}"), n == 7)).collect::<Vec<_>>());
}
