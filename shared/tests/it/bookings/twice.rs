//! Every operation run a second time does nothing more and answers the same, as its documentation says.

use std::collections::BTreeSet;

use crate::common::{age, db, keyed, request, show};
use boxoffice_shared::{
    Error,
    model::{BookingId, BookingStatus, FailureReason, Viewer},
    ops::{self, ExpireOutcome},
};
use boxoffice_testkit::{invariants::assert_invariants, postgres::Database};

#[tokio::test]
async fn every_operation_run_twice_is_as_if_run_once() {
    let database = Database::create().await;
    let db = db(&database, 1);
    let client = database.client().await;
    let show = show(&db, 100, 4).await.id();
    let available = async || ops::get_show(&db, show).await.unwrap().available_seats();

    // book: the same id, as when an answer was lost, and the same key, as when a client tries again.
    let mine = request(show, 2);
    let (one, two) = (ops::book(&db, &mine).await.unwrap(), ops::book(&db, &mine).await.unwrap());
    assert_eq!((&one.booking, one.replayed, two.replayed), (&two.booking, false, false));
    let one = ops::book(&db, &keyed(show, 3, "k")).await.unwrap();
    let two = ops::book(&db, &keyed(show, 3, "k")).await.unwrap();
    assert_eq!((&one.booking, one.replayed, two.replayed), (&two.booking, false, true));
    assert_eq!(available().await, 95);

    // confirm
    let sold = one.booking.id();
    let (one, two) = (ops::confirm(&db, sold).await.unwrap(), ops::confirm(&db, sold).await.unwrap());
    assert_eq!((&one.booking, one.changed, two.changed), (&two.booking, true, false));
    assert_eq!(available().await, 95);

    // cancel
    let mine = mine.id;
    let (one, two) = (ops::cancel(&db, mine, None).await.unwrap(), ops::cancel(&db, mine, None).await.unwrap());
    assert_eq!((&one.booking, one.changed, two.changed), (&two.booking, true, false));
    assert_eq!(one.booking.status(), BookingStatus::Failed(FailureReason::Cancelled));
    assert_eq!(available().await, 97);

    // expire: of all kinds, so that only the first run finds something to do.
    let due = ops::book(&db, &request(show, 5)).await.unwrap().booking.id();
    let pending = ops::book(&db, &request(show, 7)).await.unwrap().booking.id();
    age(&client, due, 120.0).await;
    let batch = BTreeSet::from([sold, mine, due, pending, BookingId::generate(show)]);
    let (one, two) = (ops::expire(&db, &batch).await.unwrap(), ops::expire(&db, &batch).await.unwrap());
    assert_eq!((one[&due], two[&due]), (ExpireOutcome::Expired, ExpireOutcome::Settled));
    for id in batch.iter().filter(|id| **id != due && **id != pending) {
        assert_eq!(one[id], two[id]);
    }
    assert!(matches!((one[&pending], two[&pending]), (ExpireOutcome::NotDue(_), ExpireOutcome::NotDue(_))));
    assert_eq!(available().await, 90);

    // sweep
    age(&client, pending, 120.0).await;
    assert_eq!((ops::sweep(&db).await.unwrap(), ops::sweep(&db).await.unwrap()), (1, 0));
    assert_eq!(available().await, 97);

    // The reads.
    assert_eq!(
        ops::get_booking(&db, due, Viewer::Bearer(None)).await.unwrap(),
        ops::get_booking(&db, due, Viewer::Bearer(None)).await.unwrap()
    );
    assert_eq!(ops::get_show(&db, show).await.unwrap(), ops::get_show(&db, show).await.unwrap());
    // A settled booking stays as it is, whatever comes later.
    for _ in 0..2 {
        assert!(matches!(ops::cancel(&db, sold, None).await, Err(Error::BookingConfirmed)));
        assert!(matches!(ops::confirm(&db, mine).await, Err(Error::BookingCancelled)));
        assert!(matches!(ops::cancel(&db, due, None).await, Err(Error::BookingExpired)));
        assert!(matches!(ops::confirm(&db, due).await, Err(Error::BookingExpired)));
    }
    assert_eq!(available().await, 97);
    assert_invariants(&client).await;
}

/// The one operation that is not: its documentation says so, and the runner does not repeat it by itself.
#[tokio::test]
async fn a_show_made_twice_is_two_shows() {
    let database = Database::create().await;
    let db = db(&database, 1);
    assert_ne!(show(&db, 1, 1).await.id(), show(&db, 1, 1).await.id());
}

/// Empty work is done at once.
#[tokio::test]
async fn an_empty_batch_is_nothing() {
    let database = Database::create().await;
    let db = db(&database, 1);
    assert!(ops::expire(&db, &BTreeSet::new()).await.unwrap().is_empty());
    assert_eq!(ops::sweep(&db).await.unwrap(), 0);
}
