//! The database behind the API: to look at what is true, and to move what a test cannot wait for.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls};

use crate::setting;

/// A connection to the local cloud's database.
#[derive(Debug)]
pub struct Database(Client);

/// A show's seats, counted at one moment.
#[derive(Debug, PartialEq, Eq)]
pub struct Seats {
    /// All there are.
    pub total: i64,
    /// Free in all pools.
    pub free: i64,
    /// In pending bookings.
    pub pending: i64,
    /// In confirmed bookings.
    pub confirmed: i64,
}

/// Keeps a show's holds from ending while a test works with them, however slow the machine is. Dropped: no longer.
#[derive(Debug)]
pub struct HoldsKept(JoinHandle<()>);

impl Drop for HoldsKept {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Database {
    /// Connects.
    pub async fn connect() -> Self {
        let dsn = setting::required("BOXOFFICE_DSN");
        let (client, connection) = tokio_postgres::connect(&dsn, NoTls).await.expect("BOXOFFICE_DSN");
        tokio::spawn(connection);
        Self(client)
    }

    /// The connection, for statements of a test's own.
    pub fn client(&self) -> &Client {
        &self.0
    }

    /// A show's seats.
    pub async fn seats(&self, show_id: i64) -> Seats {
        let sql = "SELECT total_seats::bigint,
                (SELECT sum(free) FROM seat_pools WHERE show_id = $1)::bigint,
                (SELECT coalesce(sum(seats), 0) FROM bookings WHERE show_id = $1 AND status = 'PENDING')::bigint,
                (SELECT coalesce(sum(seats), 0) FROM bookings WHERE show_id = $1 AND status = 'CONFIRMED')::bigint
            FROM shows WHERE id = $1";
        let row = self.0.query_one(sql, &[&show_id]).await.unwrap();
        Seats { total: row.get(0), free: row.get(1), pending: row.get(2), confirmed: row.get(3) }
    }

    /// A show's seats, after it was checked that none is lost and none is sold twice.
    pub async fn sound_seats(&self, show_id: i64) -> Seats {
        let seats = self.seats(show_id).await;
        assert_eq!(seats.free + seats.pending + seats.confirmed, seats.total, "show {show_id}: {seats:?}");
        assert!(seats.free >= 0, "show {show_id}: {seats:?}");
        seats
    }

    /// How many bookings a show has, in any state.
    pub async fn bookings(&self, show_id: i64) -> i64 {
        let row = self.0.query_one("SELECT count(*) FROM bookings WHERE show_id = $1", &[&show_id]).await.unwrap();
        row.get(0)
    }

    /// Moves the start of a show to a minute ago.
    pub async fn start_show(&self, show_id: i64) {
        let sql = "UPDATE shows SET start_time = now() - interval '1 minute' WHERE id = $1";
        assert_eq!(self.0.execute(sql, &[&show_id]).await.unwrap(), 1);
    }

    /// Keeps the show's holds from ending until the guard is dropped: the local cloud's hold is a few seconds, and a
    /// test that confirms must not depend on how fast the machine is.
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
