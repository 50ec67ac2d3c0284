//! Helpers shared by the tests of the operations.
#![allow(unreachable_pub, reason = "tests")]

pub mod broken;
pub mod pay;
pub mod turns;
pub mod wait;

use std::{
    net::Ipv4Addr,
    num::NonZeroU16,
    sync::atomic::{AtomicU32, Ordering},
};

use boxoffice_shared::{
    Error,
    bookings::{self, BookRequest, BookingId, Hold, UserName},
    holders::{Holder, HolderLimits, IdempotencyKey},
    inventory::{Pools, SeatCount, TotalSeats},
    platform::{config, db::Db, tls::connector},
    shows::{self, NewShow, Show, ShowId, ShowName},
};
use boxoffice_testkit::postgres::Database;

/// Opens a test's database with a pool of this many connections.
pub fn db(database: &Database, connections: u16) -> Db {
    db_at(&database.url(), connections)
}

/// Opens the database at this URL with a pool of this many connections.
pub fn db_at(url: &str, connections: u16) -> Db {
    let settings = config::Database::from_url(url, None).unwrap();
    Db::new(&settings, connector(None).unwrap(), NonZeroU16::new(connections).unwrap()).unwrap()
}

/// Like [`db_at`], but sends statements without names, as behind a pooler.
pub fn unnamed_db_at(url: &str, connections: u16) -> Db {
    let settings = config::Database::from_url(url, None).unwrap().with_naming(config::StatementNaming::Unnamed);
    Db::new(&settings, connector(None).unwrap(), NonZeroU16::new(connections).unwrap()).unwrap()
}

/// Opens `count` pools of one connection each, as that many Lambda instances do. All connections are open.
pub async fn instances(url: &str, count: usize) -> Vec<Db> {
    let settings = config::Database::from_url(url, None).unwrap();
    let tls = connector(None).unwrap();
    let mut all = Vec::new();
    for _ in 0..count {
        let db = Db::new(&settings, tls.clone(), NonZeroU16::MIN).unwrap();
        // One after the other: starting 200 backends at once would test something else.
        db.warm().await.unwrap();
        all.push(db);
    }
    all
}

/// Creates a show that starts in a day.
pub async fn show(db: &Db, seats: i64, pools: i64) -> Show {
    shows::create(db, &new_show(seats, pools)).await.unwrap()
}

/// The request for a show that starts in a day.
pub fn new_show(seats: i64, pools: i64) -> NewShow {
    NewShow {
        name: ShowName::try_from("The Tempest").unwrap(),
        start_time: jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24),
        total_seats: TotalSeats::try_from(seats).unwrap(),
        max_seats_per_booking: SeatCount::try_from(100).unwrap(),
        pools: Pools::try_from(pools).unwrap(),
        max_pending_seats_per_holder: None,
        max_seats_per_holder: None,
        price: None,
    }
}

/// A request that holds seats for two minutes, for a new holder each time.
pub fn request(show: ShowId, seats: i64) -> BookRequest {
    BookRequest {
        id: BookingId::generate(show),
        user_name: UserName::try_from("Ada").unwrap(),
        seats: SeatCount::try_from(seats).unwrap(),
        hold: Hold::DEFAULT,
        idempotency_key: None,
        holder: somebody(),
        limits: NO_LIMITS,
    }
}

/// Books as clients do: a client that is told that the database is busy tries again. On a loaded machine that may happen.
pub async fn book_unless_busy(db: &Db, request: &BookRequest) -> Result<bookings::Booked, Error> {
    for _ in 0..5 {
        match bookings::book(db, request).await {
            Err(Error::Busy(_)) => {}
            decided => return decided,
        }
    }
    bookings::book(db, request).await
}

/// Limits so high that no test reaches them.
pub const NO_LIMITS: HolderLimits = HolderLimits {
    max_pending_seats: 1_000_000,
    max_seats: 1_000_000,
    max_unpaid_holds: 15,
    address_allowance: 1,
    partner_allowance: 1,
};

/// Returns a new holder on each call, so that concurrent bookings do not wait for one holder's lock.
pub fn somebody() -> Holder {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    Holder::of_address(Ipv4Addr::from_bits(NEXT.fetch_add(1, Ordering::Relaxed)).into())
}

/// Like [`request`], with an idempotency key.
pub fn keyed(show: ShowId, seats: i64, key: &str) -> BookRequest {
    BookRequest { idempotency_key: Some(IdempotencyKey::try_from(key).unwrap()), ..request(show, seats) }
}

/// Moves the start and the end of a hold this many seconds into the past, as if that time had passed.
pub async fn age(client: &tokio_postgres::Client, id: BookingId, seconds: f64) {
    let aged = client
        .execute(
            "UPDATE bookings SET created_at = created_at - make_interval(secs => $3), \
             expires_at = expires_at - make_interval(secs => $3) WHERE show_id = $1 AND id = $2",
            &[&id.show_id().get(), &id.uuid(), &seconds],
        )
        .await
        .unwrap();
    assert_eq!(aged, 1);
}

/// Ages all pending holds. Returns their number.
pub async fn age_all(client: &tokio_postgres::Client, seconds: f64) -> u64 {
    let sql = "UPDATE bookings SET created_at = created_at - make_interval(secs => $1), \
               expires_at = expires_at - make_interval(secs => $1) WHERE status = 'PENDING'";
    client.execute(sql, &[&seconds]).await.unwrap()
}

/// Returns the free seats of each pool of a show, ordered by `pool_no`.
pub async fn free(client: &tokio_postgres::Client, show: ShowId) -> Vec<i32> {
    let sql = "SELECT free FROM seat_pools WHERE show_id = $1 ORDER BY pool_no";
    client.query(sql, &[&show.get()]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

/// Sets the free seats of a pool.
pub async fn set_free(client: &tokio_postgres::Client, show: ShowId, pool: i32, seats: i32) {
    let sql = "UPDATE seat_pools SET free = $3 WHERE show_id = $1 AND pool_no = $2";
    assert_eq!(client.execute(sql, &[&show.get(), &pool, &seats]).await.unwrap(), 1);
}

/// Runs an `EXPLAIN`, with statements around it if it needs any. Returns the plan, a row a line.
pub async fn plan(client: &tokio_postgres::Client, explain: &str) -> String {
    let messages = client.simple_query(explain).await.unwrap();
    let row = |message: &_| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => Some(format!("{}\n", row.get(0).unwrap())),
        _ => None,
    };
    messages.iter().filter_map(row).collect()
}

/// Counts the bookings in a status.
pub async fn count(client: &tokio_postgres::Client, status: &str) -> i64 {
    let sql = "SELECT count(*) FROM bookings WHERE status = $1";
    client.query_one(sql, &[&status]).await.unwrap().get(0)
}
