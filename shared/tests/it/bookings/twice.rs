//! Every operation is idempotent: a second run changes nothing and returns the same, as its documentation says.

use std::collections::BTreeSet;

use crate::common::{age, db, keyed, request, show};
use boxoffice_shared::{
    Error,
    bookings::{self, BookingId, BookingStatus, ExpireOutcome, FailureReason},
    holders::Viewer,
    shows,
};
use boxoffice_testkit::{invariants::assert_invariants, postgres::Database};

#[tokio::test]
async fn every_operation_is_idempotent() {
    let database = Database::create().await;
    let db = db(&database, 1);
    let client = database.client().await;
    let show = show(&db, 100, 4).await.id();
    let available = async || shows::get(&db, show).await.unwrap().available_seats();

    // book: with the same id, as after a lost answer, and with the same key, as in a client's retry.
    let mine = request(show, 2);
    let (one, two) = (bookings::book(&db, &mine).await.unwrap(), bookings::book(&db, &mine).await.unwrap());
    assert_eq!((&one.booking, one.replayed, two.replayed), (&two.booking, false, false));
    let one = bookings::book(&db, &keyed(show, 3, "k")).await.unwrap();
    let two = bookings::book(&db, &keyed(show, 3, "k")).await.unwrap();
    assert_eq!((&one.booking, one.replayed, two.replayed), (&two.booking, false, true));
    assert_eq!(available().await, 95);

    // confirm
    let sold = one.booking.id();
    let (one, two) = (bookings::confirm(&db, sold).await.unwrap(), bookings::confirm(&db, sold).await.unwrap());
    assert_eq!((&one.booking, one.changed, two.changed), (&two.booking, true, false));
    assert_eq!(available().await, 95);

    // cancel
    let mine = mine.id;
    let (one, two) =
        (bookings::cancel(&db, mine, None).await.unwrap(), bookings::cancel(&db, mine, None).await.unwrap());
    assert_eq!((&one.booking, one.changed, two.changed), (&two.booking, true, false));
    assert_eq!(one.booking.status(), BookingStatus::Failed(FailureReason::Cancelled));
    assert_eq!(available().await, 97);

    // expire: one booking of each kind, of which only the first run changes one.
    let due = bookings::book(&db, &request(show, 5)).await.unwrap().booking.id();
    let pending = bookings::book(&db, &request(show, 7)).await.unwrap().booking.id();
    age(&client, due, 120.0).await;
    let batch = BTreeSet::from([sold, mine, due, pending, BookingId::generate(show)]);
    let (one, two) = (bookings::expire(&db, &batch).await.unwrap(), bookings::expire(&db, &batch).await.unwrap());
    assert_eq!((one[&due], two[&due]), (ExpireOutcome::Expired, ExpireOutcome::Ended));
    for id in batch.iter().filter(|id| **id != due && **id != pending) {
        assert_eq!(one[id], two[id]);
    }
    assert!(matches!((one[&pending], two[&pending]), (ExpireOutcome::NotDue(_), ExpireOutcome::NotDue(_))));
    assert_eq!(available().await, 90);

    // sweep
    age(&client, pending, 120.0).await;
    assert_eq!((bookings::sweep(&db).await.unwrap(), bookings::sweep(&db).await.unwrap()), (1, 0));
    assert_eq!(available().await, 97);

    // get
    assert_eq!(
        bookings::get(&db, due, Viewer::Bearer(None)).await.unwrap(),
        bookings::get(&db, due, Viewer::Bearer(None)).await.unwrap()
    );
    assert_eq!(shows::get(&db, show).await.unwrap(), shows::get(&db, show).await.unwrap());
    // A confirmed or failed booking no longer changes.
    for _ in 0..2 {
        assert!(matches!(bookings::cancel(&db, sold, None).await, Err(Error::BookingConfirmed)));
        assert!(matches!(bookings::confirm(&db, mine).await, Err(Error::BookingCancelled)));
        assert!(matches!(bookings::cancel(&db, due, None).await, Err(Error::BookingExpired)));
        assert!(matches!(bookings::confirm(&db, due).await, Err(Error::BookingExpired)));
    }
    assert_eq!(available().await, 97);
    assert_invariants(&client).await;
}

/// The only operation that is not idempotent. Its documentation says so, and the runner does not retry it by itself.
#[tokio::test]
async fn creating_a_show_twice_makes_two_shows() {
    let database = Database::create().await;
    let db = db(&database, 1);
    assert_ne!(show(&db, 1, 1).await.id(), show(&db, 1, 1).await.id());
}

#[tokio::test]
async fn empty_batch_does_nothing() {
    let database = Database::create().await;
    let db = db(&database, 1);
    assert!(bookings::expire(&db, &BTreeSet::new()).await.unwrap().is_empty());
    assert_eq!(bookings::sweep(&db).await.unwrap(), 0);
}
