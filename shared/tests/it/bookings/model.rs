//! Compares random sequences of calls with a small in-memory model, which predicts every answer.
//!
//! A sequence that finds a difference is shrunk to the few calls that cause it. `BOXOFFICE_SEED` repeats the random
//! sequences of a run.

use std::{cell::RefCell, collections::BTreeSet};

use super::{
    simple::{Answer, Expiry, Model},
    steps::{Case, How, Step, Which, case},
};
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
use proptest::{
    sample::Index,
    test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner},
};
use rand::RngExt as _;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::Client;

/// The maximum number of calls in a sequence.
const STEPS: usize = 250;

#[test]
fn random_sequences_match_the_model() {
    // Ten fixed sequences, and one that is new in each run.
    for (cases, seed) in [(10, 1), (1, SeededRng::new().seed())] {
        if let Err(error) = run(cases, seed, STEPS, Model::default) {
            panic!("{error}\nrepeat it with BOXOFFICE_SEED={seed}");
        }
    }
}

/// A wrong model is detected, and the sequence is shrunk to the two calls that show the difference.
#[test]
fn wrong_model_is_found_and_shrunk() {
    match run(20, 1, 40, Model::forgetful) {
        Err(TestError::Fail(_, case)) => {
            assert!(matches!(case.steps[..], [Step::Book { .. }, Step::Cancel(_)]), "{case:?}");
        }
        other => panic!("{other:?}"),
    }
}

/// Runs `cases` sequences. Shrinks the first one that finds a difference.
fn run(cases: u32, seed: u64, steps: usize, model: fn() -> Model) -> Result<(), TestError<Case>> {
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 500, ..Config::default() };
    let mut bytes = [0; 32];
    SeededRng::from_seed(seed).fill(&mut bytes);
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let database = runtime.block_on(Database::create());
    // The runner takes an `Fn`, but runs one sequence at a time.
    let runtime = RefCell::new(runtime);
    runner.run(&case(steps), |case| {
        compare(&runtime.borrow_mut(), &database, &case, model());
        Ok(())
    })
}

/// Runs a sequence on the system and on the model. All answers and the state after each call must be equal.
fn compare(runtime: &Runtime, database: &Database, case: &Case, model: Model) {
    runtime.block_on(async {
        let mut twins = Twins::new(database, case, model).await;
        for step in &case.steps {
            let what = twins.step(step).await;
            twins.compare(&what).await;
        }
    });
}

/// The system, the model, and the booking requests so far.
struct Twins {
    db: Db,
    client: Client,
    model: Model,
    shows: Vec<ShowId>,
    asked: Vec<BookRequest>,
    /// The last batch of messages, for a second delivery.
    batch: BTreeSet<BookingId>,
}

impl Twins {
    async fn new(database: &Database, case: &Case, mut model: Model) -> Self {
        let client = database.client().await;
        client.batch_execute("TRUNCATE shows, seat_pools, bookings, holders CASCADE").await.unwrap();
        // With named and with unnamed statements.
        let way = if case.unnamed { unnamed_db_at } else { db_at };
        let (db, mut shows) = (way(&database.url(), 1), Vec::new());
        for (pools, seats) in [1, 4, 9].into_iter().zip(case.seats) {
            let show = show(&db, seats, pools).await.id();
            model.add_show(show, seats);
            shows.push(show);
        }
        Self { db, client, model, shows, asked: Vec::new(), batch: BTreeSet::new() }
    }

    /// Runs one call on both, and returns a description of it.
    async fn step(&mut self, step: &Step) -> String {
        match step {
            Step::Book { show, seats, hold, how } => self.book(show, *seats, *hold, how).await,
            Step::Confirm(which) => {
                let id = self.booking(which);
                let (said, expected) = (bookings::confirm(&self.db, id).await, self.model.confirm(id));
                let what = format!("confirm {id}: {said:?}, expected {expected:?}");
                assert_eq!(Answer::of_settled(said), expected, "{what}");
                what
            }
            Step::Cancel(which) => {
                let id = self.booking(which);
                let (said, expected) = (bookings::cancel(&self.db, id, None).await, self.model.cancel(id));
                let what = format!("cancel {id}: {said:?}, expected {expected:?}");
                assert_eq!(Answer::of_settled(said), expected, "{what}");
                what
            }
            Step::Expire(batch) => {
                self.batch = batch.iter().map(|which| self.booking(which)).collect();
                self.expire().await
            }
            Step::ExpireAgain => self.expire().await,
            Step::Sweep => {
                let (swept, expected) = (bookings::sweep(&self.db).await.unwrap(), self.model.sweep());
                assert_eq!(swept, expected);
                format!("sweep: {swept}")
            }
            Step::SetPools { show, pools } => {
                let (show, pools) = (*show.get(&self.shows), *pools);
                let seen = shows::set_pools(&self.db, show, Pools::try_from(pools).unwrap()).await.unwrap();
                assert_eq!(i64::from(seen.pools()), pools);
                format!("{pools} pools of show {show}")
            }
            Step::Later { seconds } => {
                age_all(&self.client, f64::from(*seconds)).await;
                self.model.jump(*seconds);
                format!("{seconds} s later")
            }
            Step::SetStarted { show, started } => {
                let show = *show.get(&self.shows);
                let start = "UPDATE shows SET start_time = now() + make_interval(hours => $2) WHERE id = $1";
                self.client.execute(start, &[&show.get(), &(if *started { -1 } else { 24 })]).await.unwrap();
                self.model.set_started(show, *started);
                format!("show {show} started: {started}")
            }
        }
    }

    async fn book(&mut self, show: &Index, seats: i64, hold: i64, how: &How) -> String {
        let mut wish = request(*show.get(&self.shows), seats);
        wish.hold = hold.try_into().unwrap();
        match how {
            How::Plain => {}
            How::WithKey(number) => {
                wish.idempotency_key = Some(IdempotencyKey::try_from(format!("key-{number}").as_str()).unwrap());
            }
            How::SameAttempt(before) if !self.asked.is_empty() => wish = before.get(&self.asked).clone(),
            How::SameRequest(before) if !self.asked.is_empty() => {
                let before = before.get(&self.asked);
                wish = BookRequest { id: BookingId::generate(before.id.show_id()), ..before.clone() };
            }
            How::SameAttempt(_) | How::SameRequest(_) => {}
            How::TooManySeats => wish.seats = SeatCount::try_from(101).unwrap(),
            How::OtherName => wish.user_name = UserName::try_from("Grace").unwrap(),
            How::UnknownShow => wish.id = BookingId::generate("999999".parse().unwrap()),
        }
        let (said, expected) = (bookings::book(&self.db, &wish).await, self.model.book(&wish));
        let what = format!("book {wish:?}: {said:?}, expected {expected:?}");
        assert_eq!(Answer::of_booked(said), expected, "{what}");
        self.asked.push(wish);
        what
    }

    async fn expire(&mut self) -> String {
        let (said, expected) = (bookings::expire(&self.db, &self.batch).await.unwrap(), self.model.expire(&self.batch));
        for (id, outcome) in &said {
            let same = match (outcome, expected[id]) {
                (ExpireOutcome::NotDue(left), Expiry::NotDue(seconds)) => {
                    // The test itself takes some time, but less than 30 s.
                    (i64::from(seconds) - 30..=i64::from(seconds)).contains(&(left.as_secs_f64().ceil() as i64))
                }
                (ExpireOutcome::Expired, Expiry::Expired)
                | (ExpireOutcome::Ended, Expiry::Ended)
                | (ExpireOutcome::Unknown, Expiry::Unknown) => true,
                _ => false,
            };
            assert!(same, "{id}: {outcome:?}, expected {:?}", expected[id]);
        }
        assert_eq!(said.len(), expected.len());
        format!("expire: {said:?}")
    }

    /// Returns the booking that `which` names: an earlier request's, made or not, or an unknown one.
    fn booking(&self, which: &Which) -> BookingId {
        match which {
            Which::Asked(index) if !self.asked.is_empty() => index.get(&self.asked).id,
            Which::Asked(_) | Which::Unknown => BookingId::generate(self.shows[0]),
        }
    }

    /// Compares the whole state of the system and the model.
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

/// Translates the system's answers into the model's.
impl Answer {
    fn of_booked(said: Result<bookings::Booked, Error>) -> Self {
        match said {
            Ok(booked) => {
                Self::Booking { id: booked.booking.id(), status: booked.booking.status(), again: booked.replayed }
            }
            Err(error) => Self::of_error(&error),
        }
    }

    fn of_settled(said: Result<bookings::Changed, Error>) -> Self {
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
