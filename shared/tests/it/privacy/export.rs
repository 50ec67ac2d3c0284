//! Export: all data of one subject, in pages of bounded size.

use super::{CONFUSABLE, book, export_all, of, record, subject, with_buyer_name};
use crate::common::{db, pay, request, show};
use boxoffice_shared::{
    bookings::{self, BookRequest, BookingId},
    holders::{Holder, Viewer},
    payments::{PaymentChange, PaymentEvent, Refund},
    privacy::{self, SubjectBooking},
};
use boxoffice_testkit::postgres::Database;
use serde_json::{Value, json};

fn ids(bookings: &[SubjectBooking]) -> Vec<BookingId> {
    bookings.iter().map(|kept| kept.booking.id()).collect()
}

#[tokio::test]
async fn export_contains_exactly_the_subjects_bookings() {
    let database = Database::create().await;
    let (db, client) = (db(&database, 1), database.client().await);
    let shows = [show(&db, 100, 4).await.id(), show(&db, 100, 4).await.id(), show(&db, 100, 4).await.id()];
    let mut made = vec![Vec::new(); CONFUSABLE.len()];
    for show in shows {
        for (n, who) in CONFUSABLE.iter().enumerate() {
            for key in ["one", "two"] {
                made[n].push(book(&db, &of(&subject(who), show, 1, key)).await);
            }
        }
        // A holder of another kind with the same text.
        book(&db, &BookRequest { holder: Holder::of_api_key("ada").unwrap(), ..request(show, 1) }).await;
        book(&db, &request(show, 1)).await;
    }
    // Bookings of the same millisecond can come in either order.
    made.iter_mut().for_each(|ids| ids.sort_unstable());
    for (n, who) in CONFUSABLE.iter().enumerate() {
        for limit in ["1", "4", "5", "6", "100"] {
            let kept = export_all(&db, &subject(who), limit).await;
            assert_eq!(ids(&kept), made[n], "{who:?} by {limit}");
            let mut keys: Vec<_> = kept.iter().map(|kept| kept.idempotency_key.as_deref().unwrap()).collect();
            keys.sort_unstable();
            assert_eq!(keys, ["one", "one", "one", "two", "two", "two"], "{who:?}");
        }
    }
    for nobody in ["adam", "a", "key:ada", "ADA", "null"] {
        assert!(export_all(&db, &subject(nobody), "100").await.is_empty(), "{nobody}");
    }
    let plan: Vec<String> = {
        client.batch_execute("ANALYZE bookings; SET enable_seqscan = off").await.unwrap();
        let sql = concat!(
            include_str!("../../../src/privacy/export_bookings.sql"),
            include_str!("../../../src/bookings/answer.sql")
        )
        .replace("$1", "'sub:ada'")
        .replace("$2", "0")
        .replace("$3", "'00000000-0000-0000-0000-000000000000'")
        .replace("$4", "50");
        client.query(&format!("EXPLAIN {sql}"), &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    };
    assert!(plan.iter().any(|line| line.contains("bookings_by_subject")), "{plan:#?}");
}

#[tokio::test]
async fn export_includes_payments_and_provider_events() {
    let database = Database::create().await;
    let db = db(&database, 1);
    let show = pay::priced_show(&db, 100, 2).await.id();
    let (ada, grace) = (subject("ada"), subject("grace"));
    let (mine, other) = (book(&db, &of(&ada, show, 2, "k")).await, book(&db, &of(&grace, show, 2, "k")).await);
    record(&db, pay::success("evt_1", "pi_1", mine, 2)).await;
    record(&db, pay::success("evt_2", "pi_2", other, 2)).await;
    // One event names only its payment, the other only its booking.
    record(&db, pay::event("evt_3", "pi_1", None, PaymentChange::Refunded(Refund::Full))).await;
    record(&db, PaymentEvent { payment_id: None, ..pay::event("evt_4", "x", Some(mine), PaymentChange::Other) }).await;
    let told = serde_json::to_value(export_all(&db, &ada, "50").await).unwrap();
    assert_eq!(told.as_array().unwrap().len(), 1);
    let told = &told[0];
    let shown = serde_json::to_value(bookings::get(&db, mine, Viewer::Operator).await.unwrap()).unwrap();
    assert_eq!((&told["booking"], &told["idempotency_key"], &told["complete"]), (&shown, &json!("k"), &json!(true)));
    let members =
        |list: &Value, name: &str| list.as_array().unwrap().iter().map(|one| one[name].clone()).collect::<Vec<_>>();
    assert_eq!(members(&told["payments"], "payment_id"), ["pi_1"]);
    assert_eq!(members(&told["payments"], "state"), ["refunded"]);
    assert_eq!(members(&told["events"], "event_id"), ["evt_4", "evt_3", "evt_1"]);
    assert_eq!(told["events"][0]["payload"], with_buyer_name(pay::success("e", "p", mine, 2)).payload.as_str());
    assert!(
        !format!("{:?}", export_all(&db, &ada, "50").await).contains("Ada"),
        "the Debug output should not contain the name"
    );
}

/// However much providers sent, a page stays below the maximum response of a Lambda, and an incomplete booking is
/// marked as such.
#[tokio::test]
async fn export_pages_are_bounded() {
    let database = Database::create().await;
    let (db, client) = (db(&database, 1), database.client().await);
    let show = pay::priced_show(&db, 100, 2).await.id();
    let ada = subject("ada");
    let mut made = Vec::new();
    for n in 0..5 {
        made.push(book(&db, &of(&ada, show, 1, &format!("k{n}"))).await);
    }
    made.sort_unstable();
    // The bookings have 4, 3, 12, 0 and 1 events of 64 KiB.
    for (id, events) in made.iter().zip([4, 3, 12, 0, 1]) {
        let sends = "INSERT INTO payment_events (provider, event_id, type, show_id, booking_id, occurred_at, change, outcome, payload)
            SELECT 'stripe', gen_random_uuid(), 't', $1, $2, now(), 'other', 'kept', repeat('x', 65536) FROM generate_series(1, $3)";
        client.execute(sends, &[&show.get(), &id.uuid(), &events]).await.unwrap();
        let pays = "INSERT INTO payments (provider, payment_id, show_id, booking_id, state)
            SELECT 'stripe', gen_random_uuid(), $1, $2, 'failed' FROM generate_series(1, $3)";
        client.execute(pays, &[&show.get(), &id.uuid(), &events]).await.unwrap();
    }
    let mut pages = Vec::new();
    let mut after = None;
    loop {
        let page = privacy::export(&db, &ada, "100".parse().unwrap(), after).await.unwrap();
        pages.push(page.items.len());
        for kept in &page.items {
            let events = kept.events.len();
            assert_eq!((kept.complete, kept.payments.len()), (events < 10, events), "{kept:?}");
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(pages, [2, 2, 1]);
    assert_eq!(ids(&export_all(&db, &ada, "2").await), made);
}
