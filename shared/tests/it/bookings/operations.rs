//! Each operation by itself: its answer, and the state that it leaves.

use std::collections::BTreeSet;

use crate::common::{age, db, keyed, request, show};
use boxoffice_shared::{
    Error,
    bookings::{self, BookingId, BookingStatus, ExpireOutcome, FailureReason, UserName},
    holders::Viewer,
    inventory::{Pools, SeatCount},
    shows,
};
use boxoffice_testkit::{invariants::assert_invariants, postgres::Database};

#[tokio::test]
async fn confirmed_booking_keeps_its_seats() {
    let database = Database::create().await;
    let db = db(&database, 1);
    let show = show(&db, 100, 4).await;
    let booked = bookings::book(&db, &request(show.id(), 3)).await.unwrap();
    assert!(!booked.replayed);
    assert_eq!(booked.booking.status(), BookingStatus::Pending);
    assert_eq!(shows::get(&db, show.id()).await.unwrap().available_seats(), 97);

    let confirmed = bookings::confirm(&db, booked.booking.id()).await.unwrap();
    assert!(confirmed.changed);
    let confirmed = confirmed.booking;
    assert_eq!(confirmed.status(), BookingStatus::Confirmed);
    let again = bookings::confirm(&db, booked.booking.id()).await.unwrap();
    assert!(!again.changed);
    assert_eq!(again.booking, confirmed, "a second confirmation should return the same booking");
    assert!(matches!(bookings::cancel(&db, confirmed.id(), None).await, Err(Error::BookingConfirmed)));
    assert_eq!(bookings::get(&db, confirmed.id(), Viewer::Bearer(None)).await.unwrap(), confirmed);
    assert_eq!(shows::get(&db, show.id()).await.unwrap().reserved_seats(), 3);
    assert_invariants(&database.client().await).await;
}

#[tokio::test]
async fn cancelled_hold_releases_its_seats_once() {
    let database = Database::create().await;
    let db = db(&database, 1);
    let show = show(&db, 10, 2).await;
    let id = bookings::book(&db, &request(show.id(), 3)).await.unwrap().booking.id();
    for first in [true, false] {
        let bookings::Changed { booking: cancelled, changed } = bookings::cancel(&db, id, None).await.unwrap();
        assert_eq!(changed, first);
        assert_eq!(cancelled.status(), BookingStatus::Failed(FailureReason::Cancelled));
        assert_eq!(shows::get(&db, show.id()).await.unwrap().available_seats(), 10);
    }
    assert!(matches!(bookings::confirm(&db, id).await, Err(Error::BookingCancelled)));
    assert_invariants(&database.client().await).await;
}

#[tokio::test]
async fn hold_expires_at_its_end_and_not_before() {
    let database = Database::create().await;
    let db = db(&database, 1);
    let client = database.client().await;
    let show = show(&db, 10, 3).await;
    let id = bookings::book(&db, &request(show.id(), 4)).await.unwrap().booking.id();
    let expire = async || bookings::expire(&db, &BTreeSet::from([id])).await.unwrap()[&id];

    match expire().await {
        ExpireOutcome::NotDue(left) => assert!((110..=120).contains(&left.as_secs()), "{left:?}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(bookings::sweep(&db).await.unwrap(), 0);
    age(&client, id, 120.0).await;
    assert!(
        matches!(bookings::confirm(&db, id).await, Err(Error::BookingExpired)),
        "an overdue hold should not be confirmed, swept or not"
    );
    assert_eq!(expire().await, ExpireOutcome::Expired);
    assert_eq!(expire().await, ExpireOutcome::Ended);
    assert_eq!(bookings::sweep(&db).await.unwrap(), 0);
    assert!(matches!(bookings::confirm(&db, id).await, Err(Error::BookingExpired)));
    assert!(matches!(bookings::cancel(&db, id, None).await, Err(Error::BookingExpired)));
    assert_eq!(shows::get(&db, show.id()).await.unwrap().available_seats(), 10);
    assert_invariants(&client).await;
}

#[tokio::test]
async fn sweep_expires_holds_without_a_message() {
    let database = Database::create().await;
    let db = db(&database, 1);
    let client = database.client().await;
    let show = show(&db, 100, 8).await;
    let mut ids = Vec::new();
    for _ in 0..10 {
        ids.push(bookings::book(&db, &request(show.id(), 2)).await.unwrap().booking.id());
    }
    for id in &ids[..7] {
        age(&client, *id, 121.0).await;
    }
    assert_eq!(bookings::sweep(&db).await.unwrap(), 7);
    assert_eq!(shows::get(&db, show.id()).await.unwrap().available_seats(), 100 - 3 * 2);
    assert_invariants(&client).await;
}

#[tokio::test]
async fn refused_operations_return_the_reason_and_change_nothing() {
    let database = Database::create().await;
    let db = db(&database, 1);
    let show = show(&db, 10, 1).await;
    let unknown = "999999".parse().unwrap();
    assert!(matches!(bookings::book(&db, &request(unknown, 1)).await, Err(Error::ShowNotFound)));
    assert!(matches!(shows::get(&db, unknown).await, Err(Error::ShowNotFound)));
    let nobody = BookingId::generate(show.id());
    assert!(matches!(bookings::get(&db, nobody, Viewer::Bearer(None)).await, Err(Error::BookingNotFound)));
    assert!(matches!(bookings::confirm(&db, nobody).await, Err(Error::BookingNotFound)));
    assert!(matches!(bookings::cancel(&db, nobody, None).await, Err(Error::BookingNotFound)));
    assert_eq!(bookings::expire(&db, &BTreeSet::from([nobody])).await.unwrap()[&nobody], ExpireOutcome::Unknown);
    assert!(matches!(bookings::book(&db, &request(show.id(), 101)).await, Err(Error::TooManySeats { max: 100 })));
    bookings::book(&db, &request(show.id(), 8)).await.unwrap();
    assert!(matches!(bookings::book(&db, &request(show.id(), 3)).await, Err(Error::SoldOut { available: 2 })));
    let client = database.client().await;
    client.execute("UPDATE shows SET start_time = now() - interval '1 second'", &[]).await.unwrap();
    assert!(matches!(bookings::book(&db, &request(show.id(), 1)).await, Err(Error::ShowStarted)));
    assert_invariants(&client).await;
}

#[tokio::test]
async fn one_booking_can_take_seats_from_several_pools() {
    let database = Database::create().await;
    let db = db(&database, 1);
    // One seat in each of four pools.
    let show = show(&db, 4, 4).await;
    let booked = bookings::book(&db, &request(show.id(), 3)).await.unwrap();
    assert_eq!(booked.booking.seats(), 3);
    assert!(matches!(bookings::book(&db, &request(show.id(), 2)).await, Err(Error::SoldOut { available: 1 })));
    bookings::cancel(&db, booked.booking.id(), None).await.unwrap();
    // The three seats are now in one pool, perhaps the pool with the fourth one.
    bookings::book(&db, &request(show.id(), 4)).await.unwrap();
    assert!(matches!(bookings::book(&db, &request(show.id(), 1)).await, Err(Error::SoldOut { available: 0 })));
    assert_invariants(&database.client().await).await;
}

#[tokio::test]
async fn idempotency_key_makes_one_booking() {
    let database = Database::create().await;
    let db = db(&database, 1);
    let show = show(&db, 10, 1).await;
    let first = bookings::book(&db, &keyed(show.id(), 2, "k")).await.unwrap();
    let again = bookings::book(&db, &keyed(show.id(), 2, "k")).await.unwrap();
    assert!(!first.replayed && again.replayed);
    assert_eq!(first.booking, again.booking);
    assert!(matches!(bookings::book(&db, &keyed(show.id(), 3, "k")).await, Err(Error::IdempotencyKeyReused)));
    let mut other = keyed(show.id(), 2, "k");
    other.user_name = UserName::try_from("Bob").unwrap();
    assert!(matches!(bookings::book(&db, &other).await, Err(Error::IdempotencyKeyReused)));
    // The key outlives the hold: a retry still returns the same booking.
    bookings::cancel(&db, first.booking.id(), None).await.unwrap();
    let settled = bookings::book(&db, &keyed(show.id(), 2, "k")).await.unwrap();
    assert_eq!(settled.booking.status(), BookingStatus::Failed(FailureReason::Cancelled));
    // A replay succeeds even when the show is sold out.
    bookings::book(&db, &keyed(show.id(), 10, "rest")).await.unwrap();
    assert!(bookings::book(&db, &keyed(show.id(), 10, "rest")).await.unwrap().replayed);
    // The same id again is our own attempt after a lost answer, not a replay.
    bookings::cancel(&db, bookings::book(&db, &keyed(show.id(), 10, "rest")).await.unwrap().booking.id(), None)
        .await
        .unwrap();
    let mine = request(show.id(), 1);
    let (one, two) = (bookings::book(&db, &mine).await.unwrap(), bookings::book(&db, &mine).await.unwrap());
    assert_eq!(one.booking, two.booking);
    assert!(!two.replayed);
    assert_invariants(&database.client().await).await;
}

#[tokio::test]
async fn pages_contain_every_show_exactly_once() {
    let database = Database::create().await;
    let db = db(&database, 1);
    let client = database.client().await;
    for seats in 1..=7 {
        show(&db, seats, 1).await;
    }
    // With equal start times, the id decides the order.
    client.execute("UPDATE shows SET start_time = now() + interval '1 day' WHERE id <= 4", &[]).await.unwrap();
    let limit = "3".parse().unwrap();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = shows::list(&db, limit, after).await.unwrap();
        assert!(page.items.len() <= 3);
        seen.extend(page.items.iter().map(|show| show.id().get()));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, [1, 2, 3, 4, 5, 6, 7]);
}

#[tokio::test]
async fn missing_pool_row_fails_the_release_without_losing_seats() {
    let database = Database::create().await;
    let db = db(&database, 1);
    let show = show(&db, 10, 1).await;
    let id = bookings::book(&db, &request(show.id(), 4)).await.unwrap().booking.id();
    let client = database.client().await;
    client.execute("UPDATE seat_pools SET pool_no = 9", &[]).await.unwrap();
    assert!(matches!(bookings::cancel(&db, id, None).await, Err(Error::Internal(_))));
    assert_eq!(bookings::get(&db, id, Viewer::Bearer(None)).await.unwrap().status(), BookingStatus::Pending);
    client.execute("UPDATE seat_pools SET pool_no = 0", &[]).await.unwrap();
    bookings::cancel(&db, id, None).await.unwrap();
    assert_invariants(&client).await;
}

#[tokio::test]
async fn text_round_trips_unchanged() {
    let database = Database::create().await;
    let db = db(&database, 1);
    let show = show(&db, 10, 1).await;
    let name = "Robert'); DROP TABLE bookings;-- \u{202e}🎟️ \\ %s ${jndi}";
    let mut request = request(show.id(), 1);
    request.user_name = UserName::try_from(name).unwrap();
    let booked = bookings::book(&db, &request).await.unwrap().booking;
    assert_eq!(serde_json::to_value(&booked).unwrap()["user_name"], name);
    assert_eq!(booked.seats(), SeatCount::try_from(1).unwrap().get());
}

#[tokio::test]
async fn changing_the_number_of_pools_keeps_every_seat() {
    let database = Database::create().await;
    let db = db(&database, 1);
    let client = database.client().await;
    let show = show(&db, 100, 4).await;
    bookings::book(&db, &request(show.id(), 7)).await.unwrap();
    for pools in [16, 256, 1, 3] {
        let changed = shows::set_pools(&db, show.id(), Pools::try_from(pools).unwrap()).await.unwrap();
        assert_eq!((i64::from(changed.pools()), changed.available_seats()), (pools, 93));
        let uneven: bool = client
            .query_one("SELECT max(free) - min(free) > 1 FROM seat_pools WHERE pool_no < $1::bigint", &[&pools])
            .await
            .unwrap()
            .get(0);
        assert!(!uneven, "the free seats of {pools} pools should differ by one at most");
        assert_invariants(&client).await;
    }
    let unknown = "999999".parse().unwrap();
    assert!(matches!(shows::set_pools(&db, unknown, Pools::ONE).await, Err(Error::ShowNotFound)));
}
