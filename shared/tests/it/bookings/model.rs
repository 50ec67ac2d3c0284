//! Random sequences of calls against a small model in memory, which says what each must answer.
//!
//! `BOXOFFICE_SEED` runs one sequence again.

use std::collections::BTreeSet;

use super::simple::{Answer, Expiry, Model};
use crate::common::{age_all, db_at, request, show, unnamed_db_at};
use boxoffice_shared::{
    Error,
    bookings::{self, BookRequest, BookingId, BookingStatus, ExpireOutcome, FailureReason, UserName},
    holders::IdempotencyKey,
    inventory::{Pools, SeatCount},
    platform::db::Db,
    shows::{self, ShowId},
};
use boxoffice_testkit::{invariants::assert_invariants, postgres::Database, rng::SeededRng};
use rand::{RngExt as _, seq::IndexedRandom as _};
use tokio_postgres::Client;

const STEPS: usize = 250;

/// The system, the model beside it, and what was asked for so far.
struct Twins {
    db: Db,
    client: Client,
    model: Model,
    shows: Vec<ShowId>,
    asked: Vec<BookRequest>,
    /// The last batch of messages, to be delivered again.
    batch: BTreeSet<BookingId>,
}

#[tokio::test]
async fn random_sequences_answer_as_the_model_does() {
    let seeds = match std::env::var("BOXOFFICE_SEED") {
        Ok(_) => vec![SeededRng::new()],
        // Always the same ones, and one that is new each time.
        Err(_) => (1..=5).map(SeededRng::from_seed).chain([SeededRng::new()]).collect(),
    };
    for mut rng in seeds {
        let mut twins = Twins::new(&mut rng).await;
        for step in 0..STEPS {
            let what = twins.step(&mut rng).await;
            twins.compare(&format!("seed {}, step {step}: {what}", rng.seed())).await;
        }
    }
}

impl Twins {
    async fn new(rng: &mut SeededRng) -> Self {
        let database = Database::create().await;
        // Both ways to send statements.
        let way = if rng.random() { db_at } else { unnamed_db_at };
        let db = way(&database.url(), 1);
        let (mut model, mut shows) = (Model::default(), Vec::new());
        for pools in [1, 4, 9] {
            let seats = rng.random_range(20..60);
            let show = show(&db, seats, pools).await.id();
            model.add_show(show, seats);
            shows.push(show);
        }
        Self { db, client: database.client().await, model, shows, asked: Vec::new(), batch: BTreeSet::new() }
    }

    /// One call to both, whose answers must be equal. Says what it was.
    async fn step(&mut self, rng: &mut SeededRng) -> String {
        match rng.random_range(0..100) {
            0..40 => self.book(rng).await,
            40..52 => {
                let id = self.some_booking(rng);
                let (said, expected) = (bookings::confirm(&self.db, id).await, self.model.confirm(id));
                let what = format!("confirm {id}: {said:?}, and not {expected:?}");
                assert_eq!(Answer::of_settled(said), expected, "{what}");
                what
            }
            52..62 => {
                let id = self.some_booking(rng);
                let (said, expected) = (bookings::cancel(&self.db, id, None).await, self.model.cancel(id));
                let what = format!("cancel {id}: {said:?}, and not {expected:?}");
                assert_eq!(Answer::of_settled(said), expected, "{what}");
                what
            }
            62..72 => {
                self.batch = (0..rng.random_range(1..=10)).map(|_| self.some_booking(rng)).collect();
                self.expire().await
            }
            // Delivered again.
            72..77 => self.expire().await,
            77..84 => {
                let (swept, expected) = (bookings::sweep(&self.db).await.unwrap(), self.model.sweep());
                assert_eq!(swept, expected, "seed {}", rng.seed());
                format!("sweep: {swept}")
            }
            84..87 => {
                let (show, pools) = (*self.shows.choose(rng).unwrap(), rng.random_range(1..12));
                let seen = shows::set_pools(&self.db, show, Pools::try_from(pools).unwrap()).await.unwrap();
                assert_eq!(i64::from(seen.pools()), pools);
                format!("{pools} pools of show {show}")
            }
            87..98 => {
                // Hundreds of seconds, against holds of odd tens: no hold ends within a second of a jump, and so
                // the little time that the test takes decides nothing.
                let seconds = rng.random_range(1..4) * 100;
                age_all(&self.client, f64::from(seconds)).await;
                self.model.jump(seconds);
                format!("{seconds} s later")
            }
            _ => {
                let show = *self.shows.choose(rng).unwrap();
                let start = "UPDATE shows SET start_time = now() + make_interval(hours => $2) WHERE id = $1";
                let started = rng.random_bool(0.3);
                self.client.execute(start, &[&show.get(), &(if started { -1 } else { 24 })]).await.unwrap();
                self.model.set_started(show, started);
                format!("show {show} started: {started}")
            }
        }
    }

    async fn book(&mut self, rng: &mut SeededRng) -> String {
        let mut wish = request(*self.shows.choose(rng).unwrap(), rng.random_range(1..=12));
        wish.hold = (rng.random_range(0..9) * 100 + 50).try_into().unwrap();
        match rng.random_range(0..10) {
            // A few keys, so that they meet again: with the same body, and with another one.
            0..4 => {
                wish.idempotency_key =
                    Some(IdempotencyKey::try_from(format!("key-{}", rng.random_range(0..25)).as_str()).unwrap())
            }
            // Exactly what was sent before, id and all: an attempt whose answer was lost.
            4 if !self.asked.is_empty() => wish = self.asked.choose(rng).unwrap().clone(),
            // A retry of a client: the key and the body of before, with an id of its own.
            5 if !self.asked.is_empty() => {
                let before = self.asked.choose(rng).unwrap();
                wish = BookRequest { id: BookingId::generate(before.id.show_id()), ..before.clone() };
            }
            6 => wish.seats = SeatCount::try_from(101).unwrap(),
            7 => wish.user_name = UserName::try_from("Grace").unwrap(),
            8 => wish.id = BookingId::generate("999999".parse().unwrap()),
            _ => {}
        }
        let (said, expected) = (bookings::book(&self.db, &wish).await, self.model.book(&wish));
        let what = format!("book {wish:?}: {said:?}, and not {expected:?}");
        assert_eq!(Answer::of_booked(said), expected, "{what}");
        self.asked.push(wish);
        what
    }

    async fn expire(&mut self) -> String {
        let (said, expected) = (bookings::expire(&self.db, &self.batch).await.unwrap(), self.model.expire(&self.batch));
        for (id, outcome) in &said {
            let same = match (outcome, expected[id]) {
                (ExpireOutcome::NotDue(left), Expiry::NotDue(seconds)) => {
                    // The test's own time, of which there is little.
                    (i64::from(seconds) - 30..=i64::from(seconds)).contains(&(left.as_secs_f64().ceil() as i64))
                }
                (ExpireOutcome::Expired, Expiry::Expired)
                | (ExpireOutcome::Settled, Expiry::Settled)
                | (ExpireOutcome::Unknown, Expiry::Unknown) => true,
                _ => false,
            };
            assert!(same, "{id}: {outcome:?}, and not {:?}", expected[id]);
        }
        assert_eq!(said.len(), expected.len());
        format!("expire: {said:?}")
    }

    /// One that was asked for, made or not; seldom one that nobody knows.
    fn some_booking(&self, rng: &mut SeededRng) -> BookingId {
        match self.asked.choose(rng) {
            Some(wish) if rng.random_bool(0.95) => wish.id,
            _ => BookingId::generate(self.shows[0]),
        }
    }

    /// The whole state of both.
    async fn compare(&self, when: &str) {
        for show in &self.shows {
            let seen = shows::get(&self.db, *show).await.unwrap();
            assert_eq!(i64::from(seen.available_seats()), self.model.available(*show), "{when}");
        }
        let rows = self
            .client
            .query("SELECT show_id || '-' || id, status, failure_reason FROM bookings ORDER BY 1", &[])
            .await
            .unwrap();
        let rows: Vec<(String, BookingStatus)> =
            rows.iter().map(|row| (row.get(0), status(row.get(1), row.get(2)))).collect();
        let mut expected: Vec<_> = self.model.bookings().map(|(id, status)| (id.to_string(), status)).collect();
        expected.sort_by(|one, two| one.0.cmp(&two.0));
        assert_eq!(rows, expected, "{when}");
        assert_invariants(&self.client).await;
    }
}

fn status(status: &str, reason: Option<&str>) -> BookingStatus {
    match (status, reason) {
        ("PENDING", None) => BookingStatus::Pending,
        ("CONFIRMED", None) => BookingStatus::Confirmed,
        ("FAILED", Some("expired")) => BookingStatus::Failed(FailureReason::Expired),
        ("FAILED", Some("cancelled")) => BookingStatus::Failed(FailureReason::Cancelled),
        other => panic!("{other:?}"),
    }
}

/// The model and the system name refusals alike; see [`Answer`].
impl Answer {
    fn of_booked(said: Result<bookings::Booked, Error>) -> Self {
        match said {
            Ok(booked) => {
                Self::Booking { id: booked.booking.id(), status: booked.booking.status(), again: booked.replayed }
            }
            Err(error) => Self::of_error(&error),
        }
    }

    fn of_settled(said: Result<bookings::Settled, Error>) -> Self {
        match said {
            Ok(settled) => {
                Self::Booking { id: settled.booking.id(), status: settled.booking.status(), again: !settled.changed }
            }
            Err(error) => Self::of_error(&error),
        }
    }

    fn of_error(error: &Error) -> Self {
        match error {
            Error::ShowNotFound => Self::ShowNotFound,
            Error::BookingNotFound => Self::BookingNotFound,
            Error::SoldOut { available } => Self::SoldOut(*available),
            Error::ShowStarted => Self::ShowStarted,
            Error::TooManySeats { max } => Self::TooManySeats(*max),
            Error::IdempotencyKeyReused => Self::KeyReused,
            Error::BookingExpired => Self::Expired,
            Error::BookingCancelled => Self::Cancelled,
            Error::BookingConfirmed => Self::Confirmed,
            Error::ShowInPast
            | Error::PendingLimit { .. }
            | Error::HolderLimit { .. }
            | Error::HolderWaits { .. }
            | Error::HolderBusy
            | Error::BookingRefunded
            | Error::PaymentNotFound
            | Error::PaymentNotDue
            | Error::DisputeNotLost
            | Error::EventNotFound
            | Error::EventUnreadable { .. }
            | Error::EventIgnored
            | Error::Busy(_)
            | Error::Unavailable(_)
            | Error::Internal(_) => panic!("{error:?}"),
        }
    }
}
