//! What the tests of the operations share.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::num::NonZeroU16;

use boxoffice_shared::{
    config,
    db::{Db, connector},
    model::{BookingId, Hold, IdempotencyKey, Pools, SeatCount, Show, ShowId, ShowName, TotalSeats, UserName},
    ops::{self, BookRequest, NewShow},
};
use boxoffice_testkit::postgres::Database;

/// Access to a test's database with this many connections.
pub fn db(database: &Database, connections: u16) -> Db {
    db_at(&database.url(), connections)
}

/// Access to the database at this URL.
pub fn db_at(url: &str, connections: u16) -> Db {
    let settings = config::Database::from_url(url, None).unwrap();
    Db::new(&settings, connector(None).unwrap(), NonZeroU16::new(connections).unwrap()).unwrap()
}

/// A show that starts in a day.
pub async fn show(db: &Db, seats: i64, pools: i64) -> Show {
    let new = NewShow {
        name: ShowName::try_from("The Tempest").unwrap(),
        start_time: jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24),
        total_seats: TotalSeats::try_from(seats).unwrap(),
        max_seats_per_booking: SeatCount::try_from(100).unwrap(),
        pools: Pools::try_from(pools).unwrap(),
    };
    ops::create_show(db, &new).await.unwrap()
}

/// A request for seats, held for two minutes.
pub fn request(show: ShowId, seats: i64) -> BookRequest {
    BookRequest {
        id: BookingId::generate(show),
        user_name: UserName::try_from("Ada").unwrap(),
        seats: SeatCount::try_from(seats).unwrap(),
        hold: Hold::DEFAULT,
        idempotency_key: None,
    }
}

/// The same with a key.
pub fn keyed(show: ShowId, seats: i64, key: &str) -> BookRequest {
    BookRequest { idempotency_key: Some(IdempotencyKey::try_from(key).unwrap()), ..request(show, seats) }
}

/// Moves a hold's life this many seconds into the past: for the booking, the clock jumps ahead.
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
