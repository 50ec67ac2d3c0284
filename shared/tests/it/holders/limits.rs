//! The limits of a holder per show, and who can see a booking.

use std::time::Duration;

use crate::common::{self, NO_LIMITS, age, db, instances, keyed, request, show, wait};
use boxoffice_shared::{
    Error,
    bookings::{self, BookRequest, BookingId, Hold},
    holders::{Holder, HolderLimits, Subject, Viewer},
    inventory::SeatLimit,
    platform::db::Db,
    shows::{self, NewShow, ShowId},
};
use boxoffice_testkit::{invariants::assert_invariants, postgres::Database};
use tokio_postgres::Client;

/// 4 pending seats, 6 seats in total, 1 unpaid hold per hour.
const LIMITS: HolderLimits = HolderLimits {
    max_pending_seats: 4,
    max_seats: 6,
    max_unpaid_holds: 1,
    address_allowance: 1,
    partner_allowance: 1,
};

const CEILING: Duration = Duration::from_secs(600);

fn subject(name: &str) -> Subject {
    Subject::try_from(name).unwrap()
}

fn of(holder: &Holder, show: ShowId, seats: i64) -> BookRequest {
    BookRequest { holder: holder.clone(), limits: LIMITS, ..request(show, seats) }
}

fn ada() -> Holder {
    Holder::of_subject(&subject("ada"))
}

async fn hold(db: &Db, holder: &Holder, show: ShowId, seats: i64) -> Result<BookingId, Error> {
    bookings::book(db, &of(holder, show, seats)).await.map(|booked| booked.booking.id())
}

/// Returns a holder's pending seats and all its seats of a show.
async fn has(client: &Client, show: ShowId, holder: &Holder) -> (i64, i64) {
    let sql = "SELECT coalesce(sum(seats) FILTER (WHERE status = 'PENDING'), 0), coalesce(sum(seats), 0)
        FROM bookings WHERE show_id = $1 AND holder = $2 AND status <> 'FAILED'";
    let row = client.query_one(sql, &[&show.get(), &holder.as_str()]).await.unwrap();
    (row.get(0), row.get(1))
}

#[tokio::test]
async fn pending_seats_and_total_seats_of_a_holder_are_limited() {
    let database = Database::create().await;
    let (db, client) = (db(&database, 1), database.client().await);
    let show = show(&db, 100, 4).await.id();
    let first = hold(&db, &ada(), show, 3).await.unwrap();
    let refused = hold(&db, &ada(), show, 2).await;
    assert!(matches!(refused, Err(Error::PendingLimit { held: 3, max: 4 })), "{refused:?}");
    hold(&db, &ada(), show, 1).await.unwrap();

    // Confirmed seats are no longer pending, but count towards the total.
    bookings::confirm(&db, first).await.unwrap();
    hold(&db, &ada(), show, 2).await.unwrap();
    assert_eq!(has(&client, show, &ada()).await, (3, 6));
    let refused = hold(&db, &ada(), show, 1).await;
    assert!(matches!(refused, Err(Error::HolderLimit { held: 6, max: 6 })), "{refused:?}");
    // Other holders and other shows are not affected.
    hold(&db, &Holder::of_subject(&subject("grace")), show, 4).await.unwrap();
    hold(&db, &ada(), common::show(&db, 10, 1).await.id(), 4).await.unwrap();
    assert_invariants(&client).await;
}

/// The deployment's limit can exceed a small show. There it is half of the show's seats, rounded up, unless the show
/// has its own limit.
#[tokio::test]
async fn default_limit_is_half_of_a_small_show() {
    let database = Database::create().await;
    let db = db(&database, 1);
    let office = Holder::of_address("192.0.2.1".parse().unwrap());
    let limits = HolderLimits { address_allowance: 50, ..HolderLimits::DEFAULT };
    for (total, half) in [(1, 1), (2, 1), (3, 2), (10, 5), (11, 6)] {
        for pools in [1, 2] {
            let show = show(&db, total, pools.min(total)).await.id();
            let asks = |seats| BookRequest { holder: office.clone(), limits, ..request(show, seats) };
            if half < total {
                let refused = bookings::book(&db, &asks(half + 1)).await.map(|booked| booked.booking.id());
                assert!(
                    matches!(refused, Err(Error::HolderLimit { held: 0, max }) if i64::from(max) == half),
                    "{total}: {refused:?}"
                );
            }
            bookings::book(&db, &asks(half)).await.unwrap();
        }
    }
    let new = NewShow { max_seats_per_holder: Some(SeatLimit::try_from(10).unwrap()), ..common::new_show(10, 1) };
    let show = shows::create(&db, &new).await.unwrap().id();
    let whole = BookRequest { holder: ada(), limits: HolderLimits::DEFAULT, ..request(show, 10) };
    bookings::book(&db, &whole).await.unwrap();
}

#[tokio::test]
async fn released_seats_can_be_held_again() {
    let database = Database::create().await;
    let db = db(&database, 1);
    let show = show(&db, 100, 4).await.id();
    let held = hold(&db, &ada(), show, 4).await.unwrap();
    hold(&db, &ada(), show, 1).await.unwrap_err();
    bookings::cancel(&db, held, Some(&subject("ada"))).await.unwrap();
    hold(&db, &ada(), show, 4).await.unwrap();
}

#[tokio::test]
async fn show_limits_override_defaults_and_address_allowance_multiplies_them() {
    let database = Database::create().await;
    let db = db(&database, 1);
    let show = show(&db, 100, 4).await.id();
    let limit = |seats: i64| Some(Some(SeatLimit::try_from(seats).unwrap()));
    shows::set_holder_limits(&db, show, limit(2), limit(3)).await.unwrap();
    hold(&db, &ada(), show, 3).await.unwrap_err();
    let sold = hold(&db, &ada(), show, 2).await.unwrap();
    bookings::confirm(&db, sold).await.unwrap();
    assert!(matches!(hold(&db, &ada(), show, 2).await, Err(Error::HolderLimit { held: 2, max: 3 })));
    // The total goes back to the deployment's limit; the show's limit of pending seats stays.
    shows::set_holder_limits(&db, show, None, Some(None)).await.unwrap();
    hold(&db, &ada(), show, 2).await.unwrap();
    assert!(matches!(hold(&db, &ada(), show, 1).await, Err(Error::PendingLimit { held: 2, max: 2 })));

    let office = Holder::of_address("192.0.2.1".parse().unwrap());
    let limits = HolderLimits { address_allowance: 3, ..LIMITS };
    let book = async |seats| bookings::book(&db, &BookRequest { limits, ..of(&office, show, seats) }).await;
    book(6).await.unwrap();
    assert!(matches!(book(1).await, Err(Error::PendingLimit { held: 6, max: 6 })));
    let nobody = "999".parse().unwrap();
    assert!(matches!(shows::set_holder_limits(&db, nobody, limit(1), None).await, Err(Error::ShowNotFound)));
}

/// One holder books over 50 connections at once: in shows with one pool and with many, and where a booking needs seats
/// from several pools.
#[tokio::test]
async fn holder_with_50_connections_cannot_exceed_the_limit() {
    let database = Database::create().await;
    let client = database.client().await;
    let instances = instances(&database.url(), 50).await;
    for (seats, pools, wanted) in [(200, 1, 1), (200, 64, 1), (200, 64, 3), (40, 40, 2)] {
        let show = show(&instances[0], seats, pools).await.id();
        let mut attempts = tokio::task::JoinSet::new();
        for db in &instances {
            let db = db.clone();
            attempts.spawn(async move {
                let mut booked = 0;
                for _ in 0..4 {
                    match hold(&db, &ada(), show, wanted).await {
                        Ok(_) => booked += 1,
                        Err(Error::PendingLimit { .. } | Error::HolderBusy) => {}
                        Err(error) => panic!("{error:?}"),
                    }
                }
                booked
            });
        }
        let booked: i64 = attempts.join_all().await.into_iter().sum();
        // Exactly as many as the limit allows.
        assert_eq!(booked, i64::from(LIMITS.max_pending_seats) / wanted, "{pools} pools, {wanted} at a time");
        assert_eq!(has(&client, show, &ada()).await.0, booked * wanted);
    }
    assert_invariants(&client).await;
}

/// Without the holder's lock in `admit`, two overlapping bookings both count the seats from before either of them.
#[tokio::test]
async fn holder_limit_needs_the_holder_lock() {
    for (broken, expected) in [(false, 4), (true, 8)] {
        let database = Database::create().await;
        let client = database.client().await;
        let db = instances(&database.url(), 2).await;
        let show = show(&db[0], 100, 1).await.id();
        if broken {
            let function = function("admit");
            let function =
                common::broken::altered(&function, "IF NOT pg_try_advisory_xact_lock(turn) THEN", "IF false THEN");
            client.batch_execute(&function).await.unwrap();
        }
        // Without the lock, both count before either gets the pool.
        let (holder, watcher) = (database.admin_client().await, database.admin_client().await);
        holder.batch_execute("BEGIN; SELECT FROM seat_pools FOR UPDATE").await.unwrap();
        let ada = ada();
        let (one, two, ()) = tokio::join!(hold(&db[0], &ada, show, 4), hold(&db[1], &ada, show, 4), async {
            // The first waits for the pool; the second for the first or, without the lock, for the pool as well.
            wait::until_waiting(&watcher, 2).await;
            holder.batch_execute("COMMIT").await.unwrap();
        });
        assert_eq!(has(&client, show, &ada).await.0, expected, "{one:?} {two:?}");
    }
}

#[tokio::test]
async fn wait_grows_with_each_unpaid_hold() {
    let database = Database::create().await;
    let (db, client) = (db(&database, 1), database.client().await);
    let show = show(&db, 100, 4).await.id();
    for (let_go, minutes) in [(1, 0), (2, 1), (3, 2), (4, 4), (5, 8), (6, 16), (7, 32), (8, 60), (9, 60)] {
        let id =
            bookings::book(&db, &BookRequest { limits: NO_LIMITS, ..of(&ada(), show, 1) }).await.unwrap().booking.id();
        age(&client, id, 120.0).await;
        assert_eq!(bookings::sweep(&db).await.unwrap(), 1);
        match hold(&db, &ada(), show, 1).await {
            Ok(id) if minutes == 0 => drop(bookings::cancel(&db, id, Some(&subject("ada"))).await.unwrap()),
            Err(Error::HolderWaits { seconds, allowed: 1 }) => {
                assert!(
                    (minutes * 60 - 30..=minutes * 60).contains(&seconds),
                    "{let_go}: {seconds} s, not {minutes} min"
                );
            }
            other => panic!("{let_go}: {other:?}"),
        }
        // Other holders do not wait.
        let other = hold(&db, &Holder::of_subject(&subject("grace")), show, 1).await.unwrap();
        bookings::cancel(&db, other, Some(&subject("grace"))).await.unwrap();
    }
    // The holder still waits just before the hour ends. Then its unpaid holds are forgotten.
    past(&client, 3_590.0).await;
    assert!(matches!(hold(&db, &ada(), show, 1).await, Err(Error::HolderWaits { seconds: 1..=10, .. })));
    past(&client, 10.0).await;
    hold(&db, &ada(), show, 1).await.unwrap();
}

/// Returns the statement that creates a function of the holders' migration.
fn function(name: &str) -> String {
    let migration = include_str!("../../../../migrations/V13__holders.sql");
    let (_, from) = migration.split_once(&format!("CREATE FUNCTION {name}(")).unwrap();
    let (function, _) = from.split_once("\n$$;\n").unwrap();
    format!("CREATE OR REPLACE FUNCTION {name}({function}\n$$")
}

/// Moves all unpaid holds this many seconds into the past.
async fn past(client: &Client, seconds: f64) {
    let sql = "UPDATE holders SET unpaid_at = unpaid_at - make_interval(secs => $1), \
               waits_from = waits_from - make_interval(secs => $1)";
    client.execute(sql, &[&seconds]).await.unwrap();
}

/// Cancelling at the last moment and booking again blocks seats as long as an unpaid hold does; cancelling early does
/// not. Three holds of 59 s are one and a half holds of 120 s, less three seconds.
#[tokio::test]
async fn cancelled_hold_counts_by_its_duration() {
    for (age_s, waits) in [(59.0, false), (61.0, true)] {
        let database = Database::create().await;
        let (db, client) = (db(&database, 1), database.client().await);
        let show = show(&db, 100, 4).await.id();
        for _ in 0..3 {
            let Ok(id) = hold(&db, &ada(), show, 1).await else { break };
            age(&client, id, age_s).await;
            bookings::cancel(&db, id, Some(&subject("ada"))).await.unwrap();
        }
        let answer = hold(&db, &ada(), show, 1).await;
        assert_eq!(matches!(answer, Err(Error::HolderWaits { .. })), waits, "{age_s} s: {answer:?}");
    }
}

/// An extended hold that ends unpaid counts as several holds.
#[tokio::test]
async fn extended_hold_counts_by_its_duration() {
    for (extended, waits) in [(false, false), (true, true)] {
        let database = Database::create().await;
        let (db, client) = (db(&database, 1), database.client().await);
        let show = show(&db, 100, 4).await.id();
        let ada = subject("ada");
        let id = hold(&db, &Holder::of_subject(&ada), show, 1).await.unwrap();
        if extended {
            bookings::extend(&db, id, Some(&ada), Hold::try_from(600).unwrap(), CEILING).await.unwrap();
        }
        // Cancelled after four minutes, or swept long after its two minutes ended.
        age(&client, id, if extended { 240.0 } else { 300.0 }).await;
        if extended {
            bookings::cancel(&db, id, Some(&ada)).await.unwrap();
        } else {
            bookings::sweep(&db).await.unwrap();
        }
        let answer = hold(&db, &Holder::of_subject(&ada), show, 1).await;
        assert_eq!(matches!(answer, Err(Error::HolderWaits { .. })), waits, "{extended}: {answer:?}");
    }
}

/// A partner books for many buyers.
#[tokio::test]
async fn partner_allowance_multiplies_limits() {
    let database = Database::create().await;
    let db = db(&database, 1);
    let show = show(&db, 100, 4).await.id();
    let partner = Holder::of_api_key("acme").unwrap();
    let limits = HolderLimits { partner_allowance: 3, ..LIMITS };
    let book = async |seats| bookings::book(&db, &BookRequest { limits, ..of(&partner, show, seats) }).await;
    book(12).await.unwrap();
    assert!(matches!(book(1).await, Err(Error::PendingLimit { held: 12, max: 12 })));
}

/// A repeated request returns its booking, even if the holder has reached a limit meanwhile.
#[tokio::test]
async fn replay_ignores_limits() {
    let database = Database::create().await;
    let db = db(&database, 1);
    let show = show(&db, 100, 4).await.id();
    let wish = |key: &str| BookRequest { holder: ada(), limits: LIMITS, ..keyed(show, 4, key) };
    let first = bookings::book(&db, &wish("k")).await.unwrap();
    let again = bookings::book(&db, &wish("k")).await.unwrap();
    assert_eq!((again.booking.id(), again.replayed), (first.booking.id(), true));
    assert!(matches!(bookings::book(&db, &wish("other")).await, Err(Error::PendingLimit { .. })));
}

/// Two users can choose the same idempotency key. Neither sees the other's booking.
#[tokio::test]
async fn idempotency_key_of_another_subject_does_not_replay() {
    let database = Database::create().await;
    let db = db(&database, 1);
    let show = show(&db, 100, 4).await.id();
    let wish = |name: &str| BookRequest {
        holder: Holder::of_subject(&subject(name)),
        limits: NO_LIMITS,
        ..keyed(show, 2, "order-1")
    };
    let (one, two) =
        (bookings::book(&db, &wish("ada")).await.unwrap(), bookings::book(&db, &wish("grace")).await.unwrap());
    assert!(!one.replayed && !two.replayed && one.booking.id() != two.booking.id());
    assert!(bookings::book(&db, &wish("ada")).await.unwrap().replayed);
    // Nor does an anonymous caller with the same key.
    let anonymous = bookings::book(&db, &keyed(show, 2, "order-1")).await.unwrap();
    assert!(!anonymous.replayed);
}

#[tokio::test]
async fn only_its_subject_can_see_or_change_a_booking() {
    let database = Database::create().await;
    let db = db(&database, 1);
    let show = show(&db, 100, 4).await.id();
    let (ada, grace) = (subject("ada"), subject("grace"));
    let id = hold(&db, &Holder::of_subject(&ada), show, 2).await.unwrap();
    for other in [None, Some(&grace)] {
        assert!(matches!(bookings::get(&db, id, Viewer::Bearer(other)).await, Err(Error::BookingNotFound)));
        assert!(matches!(bookings::cancel(&db, id, other).await, Err(Error::BookingNotFound)));
        assert!(matches!(bookings::extend(&db, id, other, Hold::DEFAULT, CEILING).await, Err(Error::BookingNotFound)));
    }
    bookings::get(&db, id, Viewer::Operator).await.unwrap();
    bookings::get(&db, id, Viewer::Bearer(Some(&ada))).await.unwrap();
    bookings::extend(&db, id, Some(&ada), Hold::DEFAULT, CEILING).await.unwrap();
    bookings::cancel(&db, id, Some(&ada)).await.unwrap();
}

#[tokio::test]
async fn booking_without_a_subject_is_accessible_by_its_id() {
    let database = Database::create().await;
    let (db, client) = (db(&database, 1), database.client().await);
    let show = show(&db, 100, 4).await.id();
    for holder in [Holder::of_api_key("partner").unwrap(), Holder::of_address("192.0.2.1".parse().unwrap())] {
        let id = hold(&db, &holder, show, 2).await.unwrap();
        bookings::get(&db, id, Viewer::Bearer(None)).await.unwrap();
        bookings::get(&db, id, Viewer::Bearer(Some(&subject("ada")))).await.unwrap();
        bookings::cancel(&db, id, None).await.unwrap();
    }
    // A booking from before holders existed.
    let old = hold(&db, &ada(), show, 2).await.unwrap();
    client.execute("UPDATE bookings SET holder = NULL WHERE id = $1", &[&old.uuid()]).await.unwrap();
    bookings::get(&db, old, Viewer::Bearer(None)).await.unwrap();
    // The holder was removed from this booking: only an operator can see it.
    client.execute("UPDATE bookings SET anonymised_at = now() WHERE id = $1", &[&old.uuid()]).await.unwrap();
    assert!(matches!(bookings::get(&db, old, Viewer::Bearer(None)).await, Err(Error::BookingNotFound)));
    assert!(matches!(bookings::cancel(&db, old, None).await, Err(Error::BookingNotFound)));
    bookings::get(&db, old, Viewer::Operator).await.unwrap();
}
