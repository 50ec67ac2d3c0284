//! Shows to sell.

use boxoffice_shared::model::{Pools, TotalSeats};
use tokio_postgres::Client;

/// The most that a show can have: no run sells it out.
pub(crate) const SEATS: i32 = 1_000_000;

/// How many pools a show of this size has unless it is told otherwise.
pub(crate) fn default_pools(seats: i32) -> i32 {
    let seats = TotalSeats::try_from(i64::from(seats)).expect("a show's size");
    let writers = Pools::try_from(i64::from(Pools::MAX)).expect("the most pools");
    Pools::for_show(seats, writers).get()
}

/// Shows of [`SEATS`] with so many pools each, an hour from now: the id of the first; the others follow it.
pub(crate) async fn create(client: &Client, shows: i32, pools: i32) -> i64 {
    create_sized(client, shows, SEATS, pools).await
}

/// As [`create`], with so many seats.
pub(crate) async fn create_sized(client: &Client, shows: i32, seats: i32, pools: i32) -> i64 {
    let sql = "
        WITH created AS (
            INSERT INTO shows (name, start_time, total_seats, max_seats_per_booking, pools)
            SELECT 'Show ' || n, clock_timestamp() + interval '1 hour', $2, 10, $3 FROM generate_series(1, $1) AS n
            RETURNING id
        ), pooled AS (
            INSERT INTO seat_pools (show_id, pool_no, free)
            SELECT id, pool_no, $2 / $3 + (pool_no < $2 % $3)::integer FROM created, generate_series(0, $3 - 1) AS pool_no
        )
        SELECT min(id) FROM created";
    client.query_one(sql, &[&shows, &seats, &pools]).await.expect("shows should be made").get(0)
}

/// A show that was sold in 20,000 bookings: a plan that is made for a table without rows is no plan for a real one.
pub(crate) async fn create_past(client: &Client) {
    let sql = "
        WITH created AS (
            INSERT INTO shows (name, start_time, total_seats, max_seats_per_booking, pools)
            VALUES ('Past', clock_timestamp() - interval '1 day', 40000, 10, 1)
            RETURNING id
        ), pooled AS (
            INSERT INTO seat_pools (show_id, pool_no, free) SELECT id, 0, 0 FROM created
        )
        INSERT INTO bookings (show_id, id, user_name, seats, status, created_at, expires_at, settled_at)
        SELECT created.id, gen_random_uuid(), 'A. Buyer', 2, 'CONFIRMED', now() - interval '2 days',
            now() - interval '1 day', now() - interval '2 days'
        FROM created, generate_series(1, 20000)";
    client.batch_execute(sql).await.expect("a past show should be made");
    client.batch_execute("VACUUM ANALYZE").await.expect("a superuser may");
}

/// One show of so many seats, for the schema that has a row for each seat.
pub(crate) async fn create_seat_rows(client: &Client, seats: i32) -> i64 {
    let sql = "
        WITH created AS (
            INSERT INTO shows (name, start_time, total_seats, max_seats_per_booking, pools)
            VALUES ('Show', clock_timestamp() + interval '1 hour', $1, 10, 1)
            RETURNING id
        ), rows AS (
            INSERT INTO seats (show_id, seat_no) SELECT id, seat_no FROM created, generate_series(1, $1) AS seat_no
        )
        SELECT id FROM created";
    client.query_one(sql, &[&seats]).await.expect("a show should be made").get(0)
}

/// How many bookings were made in a time, in microseconds of the epoch.
pub(crate) async fn bookings_between(client: &Client, from_us: u64, to_us: u64) -> i64 {
    let sql = "SELECT count(*) FROM bookings
               WHERE created_at >= to_timestamp($1::double precision) AND created_at < to_timestamp($2)";
    let [from, to] = [from_us, to_us].map(|us| us as f64 / 1e6);
    client.query_one(sql, &[&from, &to]).await.expect("a count").get(0)
}
