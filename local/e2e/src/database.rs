//! The database behind the API. Tests read the actual state from it, and change times that they cannot wait for.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls};

use crate::setting;

/// A connection to the local cloud's database.
#[derive(Debug)]
pub struct Database(Client);

/// A show's seats, counted in one snapshot.
#[derive(Debug, PartialEq, Eq)]
pub struct Seats {
    /// All seats of the show.
    pub total: i64,
    /// Free seats in all pools.
    pub free: i64,
    /// Seats of pending bookings.
    pub pending: i64,
    /// Seats of confirmed bookings.
    pub confirmed: i64,
}

/// A guard that keeps a show's holds from expiring until it is dropped.
#[derive(Debug)]
pub struct HoldsKept(JoinHandle<()>);

impl Drop for HoldsKept {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Database {
    /// Connects to the local cloud's database.
    pub async fn connect() -> Self {
        let dsn = setting::required("BOXOFFICE_DSN");
        let (client, connection) = tokio_postgres::connect(&dsn, NoTls).await.expect("BOXOFFICE_DSN");
        tokio::spawn(connection);
        Self(client)
    }

    /// The connection, for a test's own statements.
    pub fn client(&self) -> &Client {
        &self.0
    }

    /// Counts a show's seats.
    pub async fn seats(&self, show_id: i64) -> Seats {
        let sql = "SELECT total_seats::bigint,
                (SELECT sum(free) FROM seat_pools WHERE show_id = $1)::bigint,
                (SELECT coalesce(sum(seats), 0) FROM bookings WHERE show_id = $1 AND status = 'PENDING')::bigint,
                (SELECT coalesce(sum(seats), 0) FROM bookings WHERE show_id = $1 AND status = 'CONFIRMED')::bigint
            FROM shows WHERE id = $1";
        let row = self.0.query_one(sql, &[&show_id]).await.unwrap();
        Seats { total: row.get(0), free: row.get(1), pending: row.get(2), confirmed: row.get(3) }
    }

    /// Counts a show's seats.
    ///
    /// # Panics
    /// If a seat is lost or sold twice.
    pub async fn sound_seats(&self, show_id: i64) -> Seats {
        let seats = self.seats(show_id).await;
        assert_eq!(seats.free + seats.pending + seats.confirmed, seats.total, "show {show_id}: {seats:?}");
        assert!(seats.free >= 0, "show {show_id}: {seats:?}");
        seats
    }

    /// The number of a show's bookings in any state.
    pub async fn bookings(&self, show_id: i64) -> i64 {
        let row = self.0.query_one("SELECT count(*) FROM bookings WHERE show_id = $1", &[&show_id]).await.unwrap();
        row.get(0)
    }

    /// Moves a show's start to a minute ago.
    pub async fn start_show(&self, show_id: i64) {
        let sql = "UPDATE shows SET start_time = now() - interval '1 minute' WHERE id = $1";
        assert_eq!(self.0.execute(sql, &[&show_id]).await.unwrap(), 1);
    }

    /// Keeps the show's holds from expiring until the guard is dropped. Holds in the local cloud last a few seconds,
    /// and a test that confirms one must also pass on a slow machine.
    pub async fn keep_holds(show_id: i64) -> HoldsKept {
        let database = Self::connect().await;
        HoldsKept(tokio::spawn(async move {
            let sql = "UPDATE bookings SET expires_at = now() + interval '1 hour'
                WHERE show_id = $1 AND status = 'PENDING' AND expires_at < now() + interval '30 minutes'";
            loop {
                database.0.execute(sql, &[&show_id]).await.unwrap();
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }))
    }
}
