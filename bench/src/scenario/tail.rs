//! The last seats of a show, a sold-out show, and pages of shows with many pools.

use std::sync::Arc;
use std::time::{Duration, Instant};

use boxoffice_shared::Error;
use boxoffice_shared::page::PageLimit;
use boxoffice_shared::platform::db::Db;
use boxoffice_shared::{bookings, shows as shared_shows};
use boxoffice_testkit::postgres::Database;
use tokio_postgres::Client;

use crate::bench::{Bench, check};
use crate::measure::stats::{Latency, median};
use crate::report::{Cell, Lines, Report, Section, Table};
use crate::shows;

use super::buyers::{Call, Crowd, connect, micros, rate, request, show_id};

const CALLERS: u16 = 50;
/// With 3 seats per booking and 156 seats per pool, each pool keeps one or two seats: the last 1 % is scattered.
const SEATS_A_BOOKING: i32 = 3;

/// Measures all three.
pub(super) async fn run(bench: &Bench, report: &mut Report) {
    let mut section = Section::new("tail", "The last seats, no seats, and pages");
    section.note(&format!(
        "The domain's operations as the Lambdas call them, from this process over one pool of {CALLERS} connections. \
         That is slower than pgbench, so compare only within this section."
    ));
    let database = bench.database().await;
    let admin = database.admin_client().await;
    shows::create_past(&admin).await;
    let db = connect(&database, CALLERS);
    let show = sell_out(bench, &mut section, &database, &admin, &db).await;
    sold_out(bench, &mut section, &db, show).await;
    section.table(pages(bench).await);
    report.add(section);
}

/// Sells a show from the first seat to the last. Returns the show, which is then sold out.
async fn sell_out(bench: &Bench, section: &mut Section, database: &Database, admin: &Client, db: &Db) -> i64 {
    let seats = bench.pick(40_000, 3_000);
    let pools = shows::default_pools(seats);
    let show = shows::create_sized(admin, 1, seats, pools).await;
    let began = Instant::now();
    let seller = db.clone();
    let crowd = Crowd::start(CALLERS, began, move || {
        let db = seller.clone();
        async move { booked(bookings::book(&db, &request(show_id(show), SEATS_A_BOOKING)).await) }
    });
    let calls = crowd.finish().await;
    let mut table = Table::new(
        &format!("{seats} seats in {pools} pools, {SEATS_A_BOOKING} per booking, {CALLERS} buyers"),
        &["sold", "bookings/s", "of the rest", "p50 ms", "p95 ms", "p99 ms", "max ms"],
    );
    if let Err(why) = check(database).await.and(all_sold(&calls, seats)) {
        table.row(vec![Cell::text(&why)]);
        section.table(table);
        return show;
    }
    let rest = part(&calls, 0.05, 0.95);
    for (name, from, to) in [("5 % to 95 %", 0.05, 0.95), ("95 % to 100 %", 0.95, 1.0), ("99 % to 100 %", 0.99, 1.0)] {
        let part = part(&calls, from, to);
        table.row(line(name, pace(part), pace(rest), Latency::of(micros(part))));
    }
    bench.say(&format!("  95 % to 100 %: {:.2} of the rest", pace(part(&calls, 0.95, 1.0)) / pace(rest)));
    section.table(table);
    let mut lines = Lines::new("Bookings per second while a show sells out", "% sold", "bookings/s");
    let step = |n: i32| f64::from(n) / 50.0;
    let points = (0..50).map(|n| (step(n + 1) * 100.0, pace(self::part(&calls, step(n), step(n + 1)))));
    lines.series("3 seats per booking", points.collect());
    section.lines(lines);
    show
}

fn booked(result: Result<bookings::Booked, Error>) -> bool {
    match result {
        Ok(_) => true,
        Err(Error::SoldOut { .. }) => false,
        // A lock timeout: a client would retry. It shows as a pause.
        Err(Error::Busy(_)) => true,
        Err(error) => panic!("a booking failed: {error}: {:?}", std::error::Error::source(&error)),
    }
}

fn all_sold(calls: &[Call], seats: i32) -> Result<(), String> {
    let sold = calls.len() as i32 * SEATS_A_BOOKING;
    if seats - sold < SEATS_A_BOOKING { Ok(()) } else { Err(format!("broken: {sold} of {seats} seats were sold")) }
}

/// The calls between two shares of all calls.
fn part(calls: &[Call], from: f64, to: f64) -> &[Call] {
    let at = |share: f64| (calls.len() as f64 * share) as usize;
    &calls[at(from)..at(to)]
}

/// Calls per second, from the end of the first to the end of the last.
fn pace(calls: &[Call]) -> f64 {
    let (Some(first), Some(last)) = (calls.first(), calls.last()) else { return 0.0 };
    (calls.len() - 1) as f64 / (last.ended - first.ended).as_secs_f64().max(f64::MIN_POSITIVE)
}

fn line(name: &str, pace: f64, rest: f64, latency: Latency) -> Vec<Cell> {
    vec![
        Cell::text(name),
        Cell::number(Some(pace), 0),
        Cell::number(Some(pace / rest), 2),
        Cell::number(Some(latency.p50_ms), 1),
        Cell::number(Some(latency.p95_ms), 1),
        Cell::number(Some(latency.p99_ms), 1),
        Cell::number(Some(latency.max_ms), 0),
    ]
}

/// Measures refusals of a sold-out show and reads of it, in turn.
async fn sold_out(bench: &Bench, section: &mut Section, db: &Db, show: i64) {
    let length = Duration::from_millis(bench.pick(1000, 300));
    let (mut refusals, mut reads) = (Vec::new(), Vec::new());
    let (mut refusal_calls, mut read_calls) = (Vec::new(), Vec::new());
    for _ in 0..bench.pick(3, 1) {
        for refuses in [true, false] {
            let db = db.clone();
            let calls = for_a_while(length, move || {
                let db = db.clone();
                async move {
                    if refuses { refused(&db, show).await } else { shared_shows::get(&db, show_id(show)).await.is_ok() }
                }
            })
            .await;
            let (rates, all) =
                if refuses { (&mut refusals, &mut refusal_calls) } else { (&mut reads, &mut read_calls) };
            rates.push(rate(&calls, Duration::ZERO, length));
            all.extend(calls);
        }
    }
    let ratio = median(refusals.iter().zip(&reads).map(|(refusal, read)| refusal / read));
    bench.say(&format!("  refusals of a sold-out show: {:.2} of reads", ratio.unwrap_or(f64::NAN)));
    let mut table = Table::new(
        &format!("A sold-out show, {CALLERS} callers"),
        &["", "responses/s", "of the reads", "p50 ms", "p99 ms"],
    );
    for (name, rates, calls, ratio) in
        [("POST bookings: 409", refusals, refusal_calls, ratio), ("GET show", reads, read_calls, Some(1.0))]
    {
        let latency = Latency::of(micros(&calls));
        table.row(vec![
            Cell::text(name),
            Cell::number(median(rates), 0),
            Cell::number(ratio, 2),
            Cell::number(Some(latency.p50_ms), 1),
            Cell::number(Some(latency.p99_ms), 1),
        ]);
    }
    section.table(table);
}

async fn refused(db: &Db, show: i64) -> bool {
    let answer = bookings::book(db, &request(show_id(show), SEATS_A_BOOKING)).await;
    assert!(matches!(answer, Err(Error::SoldOut { .. })), "a sold-out show answered {answer:?}");
    true
}

async fn for_a_while<F, A>(length: Duration, call: F) -> Vec<Call>
where
    F: Fn() -> A + Clone + Send + 'static,
    A: Future<Output = bool> + Send,
{
    let crowd = Crowd::start(CALLERS, Instant::now(), call);
    tokio::time::sleep(length).await;
    crowd.stop().await
}

/// Measures a page of 50 shows, with one caller.
async fn pages(bench: &Bench) -> Table {
    let calls = bench.pick(200, 20);
    let mut table = Table::new("A page of 50 shows, one caller", &["", "p50 ms", "p95 ms", "p99 ms", "max ms"]);
    for pools in [1, 16, 256] {
        let database = bench.database().await;
        let admin = database.admin_client().await;
        shows::create(&admin, 60, pools).await;
        admin.batch_execute("VACUUM ANALYZE").await.expect("a superuser may run VACUUM");
        let db = Arc::new(connect(&database, 1));
        let mut took = Vec::with_capacity(calls);
        for _ in 0..calls + 5 {
            let since = Instant::now();
            let page = shared_shows::list(&db, PageLimit::DEFAULT, None).await.expect("a page");
            assert_eq!(page.items.len(), 50, "a full page");
            took.push(since.elapsed().as_micros() as u64);
        }
        // The first calls include preparing.
        let latency = Latency::of(took.split_off(5));
        table.row(vec![
            Cell::text(&format!("{pools} pools each")),
            Cell::number(Some(latency.p50_ms), 2),
            Cell::number(Some(latency.p95_ms), 2),
            Cell::number(Some(latency.p99_ms), 2),
            Cell::number(Some(latency.max_ms), 1),
        ]);
    }
    table
}
