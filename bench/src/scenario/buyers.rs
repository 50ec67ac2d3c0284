//! Concurrent callers of the domain's operations, each with one request at a time.

use std::net::Ipv6Addr;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use boxoffice_shared::bookings::BookRequest;
use boxoffice_shared::platform::config::Database as Target;
use boxoffice_shared::platform::db::Db;
use boxoffice_shared::platform::tls;
use boxoffice_shared::{
    bookings::{BookingId, Hold, UserName},
    holders::{Holder, HolderLimits},
    inventory::SeatCount,
    shows::ShowId,
};
use boxoffice_testkit::postgres::Database;
use tokio::task::JoinSet;

/// Connects as the Lambdas do, with a pool of `connections`.
pub(super) fn connect(database: &Database, connections: u16) -> Db {
    let target = Target::from_url(&database.url(), None).expect("a URL of our own");
    let tls = tls::connector(None).expect("a connector");
    Db::new(&target, tls, NonZeroU16::new(connections).expect("not none")).expect("a pool")
}

/// A booking request for this show.
pub(super) fn request(show: ShowId, seats: i32) -> BookRequest {
    BookRequest {
        id: BookingId::generate(show),
        user_name: UserName::try_from("A. Buyer").expect("a name"),
        seats: SeatCount::try_from(i64::from(seats)).expect("a number of seats"),
        hold: Hold::DEFAULT,
        idempotency_key: None,
        // A different buyer each time, as in reality: the bookings of one holder would run one after another.
        holder: Holder::of_address(Ipv6Addr::from_bits(rand::random()).into()),
        limits: HolderLimits::DEFAULT,
    }
}

/// Converts a show's id to the domain's type.
pub(super) fn show_id(id: i64) -> ShowId {
    id.to_string().parse().expect("an id of the database")
}

/// A call: its end, relative to the start of the crowd, and its duration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    pub(super) ended: Duration,
    pub(super) took: Duration,
}

/// Callers that run until they are stopped or have nothing more to do.
pub(super) struct Crowd {
    stop: Arc<AtomicBool>,
    callers: JoinSet<Vec<Call>>,
}

impl Crowd {
    /// Starts `count` callers of `call`, which returns whether there is more to do.
    pub(super) fn start<F, A>(count: u16, began: Instant, call: F) -> Self
    where
        F: Fn() -> A + Clone + Send + 'static,
        A: Future<Output = bool> + Send,
    {
        let stop = Arc::new(AtomicBool::new(false));
        let mut callers = JoinSet::new();
        for _ in 0..count {
            let (stop, call) = (Arc::clone(&stop), call.clone());
            callers.spawn(async move {
                let mut calls = Vec::new();
                let mut more = true;
                while more && !stop.load(Ordering::Relaxed) {
                    let since = Instant::now();
                    more = call().await;
                    if more {
                        calls.push(Call { ended: began.elapsed(), took: since.elapsed() });
                    }
                }
                calls
            });
        }
        Self { stop, callers }
    }

    /// Stops the callers and returns all calls in the order of their end.
    pub(super) async fn stop(self) -> Vec<Call> {
        self.stop.store(true, Ordering::Relaxed);
        self.finish().await
    }

    /// Waits until the callers have nothing more to do. Returns all calls in the order of their end.
    pub(super) async fn finish(self) -> Vec<Call> {
        let mut calls = self.callers.join_all().await.concat();
        calls.sort_unstable_by_key(|call| call.ended);
        calls
    }
}

/// The number of calls per second that ended between two times.
pub(super) fn rate(calls: &[Call], from: Duration, to: Duration) -> f64 {
    let count = calls.iter().filter(|call| (from..to).contains(&call.ended)).count();
    count as f64 / to.saturating_sub(from).as_secs_f64().max(f64::MIN_POSITIVE)
}

/// The durations of calls, in microseconds.
pub(super) fn micros(calls: &[Call]) -> Vec<u64> {
    calls.iter().map(|call| call.took.as_micros() as u64).collect()
}
