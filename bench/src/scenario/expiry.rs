//! Released seats: by the sweep while the show keeps selling, and by cancellations.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use boxoffice_shared::bookings;
use boxoffice_shared::bookings::BookingId;
use boxoffice_shared::platform::db::Db;
use boxoffice_testkit::postgres::Database;
use tokio::time::sleep;
use tokio_postgres::Client;

use crate::bench::{Bench, check};
use crate::measure::stats::Latency;
use crate::report::{Cell, Report, Section, Table};
use crate::shows;

use super::buyers::{Crowd, connect, micros, rate, request, show_id};

/// The buyers that run besides the sweep.
const BUYERS: u16 = 16;
const CANCELLERS: u16 = 50;

/// Measures both.
pub(super) async fn run(bench: &Bench, report: &mut Report) {
    let mut section = Section::new("expiry", "Released seats");
    let database = bench.database().await;
    let admin = database.admin_client().await;
    shows::create_past(&admin).await;
    section.table(swept(bench, &database, &admin).await);
    section.table(cancelled(bench, &database, &admin).await);
    report.add(section);
}

async fn swept(bench: &Bench, database: &Database, admin: &Client) -> Table {
    let holds = bench.pick(100_000, 3_000);
    let show = shows::create(admin, 1, shows::default_pools(shows::SEATS)).await;
    let made = make_due(admin, show, holds).await;
    let db = connect(database, BUYERS + 1);
    let buyer = db.clone();
    let began = Instant::now();
    let crowd = Crowd::start(BUYERS, began, move || {
        let db = buyer.clone();
        async move { bookings::book(&db, &request(show_id(show), 2)).await.is_ok() }
    });
    let alone = Duration::from_millis(bench.pick(1500, 300));
    sleep(alone).await;
    let from = began.elapsed();
    let (expired, batches) = sweep_all(&db).await;
    let to = began.elapsed();
    sleep(alone).await;
    let calls = crowd.stop().await;
    let mut table = Table::new(
        &format!("{made} due holds of one show, one sweep after another, {BUYERS} buyers meanwhile"),
        &["", "figure"],
    );
    let whole = if expired == made { Ok(()) } else { Err(format!("broken: {expired} of {made} expired")) };
    if let Err(why) = check(database).await.and(whole) {
        table.row(vec![Cell::text(&why)]);
        return table;
    }
    let seconds = (to - from).as_secs_f64();
    // This includes the dead rows of the pools and the index, but not the callers' first moments.
    let before = rate(&calls, alone / 3, alone);
    let during = rate(&calls, from, to);
    bench.say(&format!("  {made} holds swept in {seconds:.1} s; {during:.0} bookings/s meanwhile, {before:.0} before"));
    let batch = Latency::of(batches);
    for (name, figure, digits) in [
        ("seconds", seconds, 1),
        ("holds expired per second", made as f64 / seconds, 0),
        ("a batch of 1,000, p50 ms", batch.p50_ms, 0),
        ("a batch of 1,000, max ms", batch.max_ms, 0),
        ("bookings per second before", before, 0),
        ("bookings per second during", during, 0),
        ("bookings per second after", rate(&calls, to, to + alone), 0),
        ("slowest booking, ms", Latency::of(micros(&calls)).max_ms, 0),
    ] {
        table.row(vec![Cell::text(name), Cell::number(Some(figure), digits)]);
    }
    table
}

/// Sweeps until nothing is due. Returns the number of expired holds and the duration of each batch in microseconds.
async fn sweep_all(db: &Db) -> (u64, Vec<u64>) {
    let (mut expired, mut micros) = (0, Vec::new());
    loop {
        let since = Instant::now();
        let batch = bookings::sweep(db).await.expect("a sweep");
        micros.push(since.elapsed().as_micros() as u64);
        expired += batch;
        if batch < u64::from(bookings::MAX_BATCH) {
            return (expired, micros);
        }
    }
}

/// Creates at least `holds` due holds of one seat each, the same number from each pool.
async fn make_due(admin: &Client, show: i64, holds: i32) -> u64 {
    let pools = shows::default_pools(shows::SEATS);
    let each = (holds + pools - 1) / pools;
    let sql = "
        WITH taken AS (
            UPDATE seat_pools SET free = free - $2 WHERE show_id = $1 RETURNING pool_no
        )
        INSERT INTO bookings (show_id, id, user_name, seats, status, created_at, expires_at)
        SELECT $1, gen_random_uuid(), 'A. Buyer', 1, 'PENDING', now() - interval '3 minutes',
            now() - interval '1 minute' + n * interval '1 millisecond'
        FROM taken, generate_series(1, $2) AS n";
    let made = admin.execute(sql, &[&show, &each]).await.expect("due holds should be made");
    admin.batch_execute("VACUUM ANALYZE").await.expect("a superuser may run VACUUM");
    made
}

/// Books for a while, then cancels all bookings.
async fn cancelled(bench: &Bench, database: &Database, admin: &Client) -> Table {
    let show = shows::create(admin, 1, shows::default_pools(shows::SEATS)).await;
    let db = connect(database, CANCELLERS);
    let made: Arc<Mutex<Vec<BookingId>>> = Arc::default();
    let length = Duration::from_millis(bench.pick(1500, 300));
    let crowd = {
        let (db, made) = (db.clone(), Arc::clone(&made));
        Crowd::start(CANCELLERS, Instant::now(), move || {
            let (db, made) = (db.clone(), Arc::clone(&made));
            async move {
                let booked = bookings::book(&db, &request(show_id(show), 2)).await.expect("a booking");
                made.lock().expect("no caller panics").push(booked.booking.id());
                true
            }
        })
    };
    sleep(length).await;
    let bookings = crowd.stop().await;
    let cancels = Crowd::start(CANCELLERS, Instant::now(), move || {
        let (db, made) = (db.clone(), Arc::clone(&made));
        async move {
            let next = made.lock().expect("no caller panics").pop();
            let Some(id) = next else { return false };
            bookings::cancel(&db, id, None).await.expect("it can be cancelled").changed
        }
    })
    .finish()
    .await;
    let columns = ["", "per second", "p50 ms", "p95 ms", "p99 ms", "max ms"];
    let mut table = Table::new(&format!("One show, {CANCELLERS} callers"), &columns);
    let whole = if cancels.len() == bookings.len() { Ok(()) } else { Err("broken: not all were cancelled".to_owned()) };
    if let Err(why) = check(database).await.and(whole) {
        table.row(vec![Cell::text(&why)]);
        return table;
    }
    for (name, calls) in [("bookings", &bookings), ("cancellations", &cancels)] {
        let latency = Latency::of(micros(calls));
        let seconds = calls.last().map_or(1.0, |call| call.ended.as_secs_f64());
        table.row(vec![
            Cell::text(name),
            Cell::number(Some(calls.len() as f64 / seconds), 0),
            Cell::number(Some(latency.p50_ms), 1),
            Cell::number(Some(latency.p95_ms), 1),
            Cell::number(Some(latency.p99_ms), 1),
            Cell::number(Some(latency.max_ms), 0),
        ]);
    }
    table
}
