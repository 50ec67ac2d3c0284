//! Shows to sell.

use boxoffice_shared::inventory::{Pools, TotalSeats};
use tokio_postgres::Client;

/// The maximum of a show: no run sells it out.
pub(crate) const SEATS: i32 = 1_000_000;

/// The default number of pools of a show of this size.
pub(crate) fn default_pools(seats: i32) -> i32 {
    let seats = TotalSeats::try_from(i64::from(seats)).expect("a show's size");
    let writers = Pools::try_from(i64::from(Pools::MAX)).expect("the most pools");
    Pools::for_show(seats, writers).get()
}

/// Creates shows of [`SEATS`] with `pools` pools each, an hour from now. Returns the first id; the others follow it.
pub(crate) async fn create(client: &Client, shows: i32, pools: i32) -> i64 {
    create_sized(client, shows, SEATS, pools).await
}

/// As [`create`], with `seats` seats.
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

/// Creates a past show that was sold in 20,000 bookings: a plan for an empty table differs from one for a real table.
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
    client.batch_execute("VACUUM ANALYZE").await.expect("a superuser may run VACUUM");
}

/// Creates a show for the schema that has a row per seat.
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

/// The number of holds of [`create_held`]: more than one run can pay for.
const HOLDS: usize = 50_000;

/// Creates a show of 256 pools with unpaid holds of two seats at 50.00 EUR, divided among `clients`. Returns the show's
/// id. A client's holds are numbered from 1; [`hold_id`] gives their ids.
pub(crate) async fn create_held(client: &Client, clients: usize) -> i64 {
    let each = HOLDS / clients;
    let show = create(client, 1, default_pools(SEATS)).await;
    let hold = "
        INSERT INTO bookings (
            show_id, id, user_name, seats, status, created_at, expires_at, amount_minor, currency)
        SELECT $1, (lpad(to_hex(c), 8, '0') || lpad(to_hex(n), 24, '0'))::uuid, 'A. Buyer', 2, 'PENDING',
            now() - interval '1 hour', now() + interval '1 hour', 5000, 'EUR'
        FROM generate_series(0, $2 - 1) AS c, generate_series(1, $3) AS n";
    let [clients, each] = [clients, each].map(|count| i32::try_from(count).expect("a number of holds"));
    client.execute(hold, &[&show, &clients, &each]).await.expect("holds should be made");
    let take = "
        UPDATE seat_pools SET free = CASE pool_no WHEN 0 THEN $2 - 2 * $3 ELSE 0 END WHERE show_id = $1";
    client.execute(take, &[&show, &SEATS, &(clients * each)]).await.expect("seats should be taken");
    show
}

/// The id of a hold of [`create_held`], as a provider's event names it.
pub(crate) fn hold_id(show: i64, client: usize, n: usize) -> String {
    format!("{show}-{client:08x}-0000-0000-{:04x}-{:012x}", n >> 48, n & 0xffff_ffff_ffff)
}

/// The rows that are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rows {
    Bookings,
    /// Events that confirmed a booking.
    Payments,
}

impl Rows {
    /// The number of rows created in an interval, in microseconds since 1970.
    pub(crate) async fn between(self, client: &Client, from_us: u64, to_us: u64) -> i64 {
        let sql = match self {
            Self::Bookings => {
                "SELECT count(*) FROM bookings
                 WHERE created_at >= to_timestamp($1::double precision) AND created_at < to_timestamp($2)"
            }
            Self::Payments => {
                "SELECT count(*) FROM payment_events
                 WHERE outcome = 'confirmed'
                     AND received_at >= to_timestamp($1::double precision) AND received_at < to_timestamp($2)"
            }
        };
        let [from, to] = [from_us, to_us].map(|us| us as f64 / 1e6);
        client.query_one(sql, &[&from, &to]).await.expect("a count").get(0)
    }
}
