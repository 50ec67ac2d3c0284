//! The real `book` binary under a Lambda runtime, from API Gateway events to responses, with the hold messages sent to
//! a queue. Each instance serves one request at a time, and the next as soon as it has responded.

use std::net::SocketAddr;
use std::time::Duration;

use boxoffice_testkit::postgres::Database;
use boxoffice_testkit::proxy::Proxy;
use boxoffice_testkit::sqs::FixedDelayQueue;
use tokio_postgres::Client;

use crate::bench::{Bench, check};
use crate::measure::stats::median;
use crate::measure::turns::Turns;
use crate::report::{Bars, Cell, Report, Section, Table, Target};
use crate::shows;

use super::fleet::{Fleet, Load};
use super::statements::OURS;
use super::subject::Subject;

/// The approximate response time of SQS.
const QUEUE: Duration = Duration::from_millis(10);
const MANY: i32 = 1000;
const COLUMNS: [&str; 13] = [
    "",
    "bookings/s",
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "max ms",
    "not 201",
    "book CPU µs",
    "server CPU µs",
    "generator CPU µs",
    "machine busy",
    "waits for a row",
    "waits for commit",
];

/// Measures 1, 16, 50 and 200 instances.
pub(super) async fn run(bench: &Bench, postmaster: u32, report: &mut Report) {
    let mut section = Section::new("lambdas", "The real book binary, queue included");
    match measured(bench, postmaster, report, &mut section).await {
        Ok(()) => {}
        Err(why) => section.note(&why),
    }
    report.add(section);
}

async fn measured(bench: &Bench, postmaster: u32, report: &mut Report, section: &mut Section) -> Result<(), String> {
    let binary = bench.binary("book")?;
    let queue = FixedDelayQueue::start(QUEUE).await;
    let database = bench.database().await;
    let admin = database.admin_client().await;
    shows::create_past(&admin).await;
    let sizes = bench.pick(&[1, 16, 50, 200][..], &[2][..]);
    let most = *sizes.last().expect("there is one");
    bench.say(&format!("  starting {most} instances"));
    let fleet = Fleet::start(&binary, most, &database.url(), &queue).await?;
    section.note(&format!(
        "Each instance serves one request at a time, as in Lambda. The queue responds after {} ms. CPU figures are \
         per booking: of the book processes, of Postgres, and of the generator, which stands for Lambda, API Gateway \
         and SQS. All of them share this machine's processors.",
        QUEUE.as_millis()
    ));
    let length = Duration::from_millis(bench.pick(1500, 300));
    let mut table = Table::new("By instances", &COLUMNS);
    let mut bars = Bars::new("Bookings per second through book", "bookings/s");
    for instances in sizes {
        let hot = shows::create(&admin, 1, shows::default_pools(shows::SEATS)).await;
        let many = shows::create(&admin, MANY, 1).await;
        let mut group = Vec::new();
        for (name, first, count) in [("one hot show", hot, 1), ("1,000 shows", many, i64::from(MANY))] {
            let load = fleet.load(&database, postmaster, *instances, first, count, length).await;
            let load = checked(&database, load).await;
            bench.say(&format!("  {instances} instances, {name}: {}", said(&load)));
            group.push((name.to_owned(), load.as_ref().ok().map(|load| load.bookings_per_s)));
            table.row(row(&format!("{instances} instances, {name}"), &load));
        }
        bars.group(&format!("{instances} instances"), &group);
    }
    let count = bench.pick(50, 2);
    section.table(beside_statements(bench, postmaster, report, &fleet, &database, count, length).await);
    drop(fleet);
    let proxy = Proxy::start(SocketAddr::from(([127, 0, 0, 1], database.port())), Duration::from_millis(1)).await;
    let instances = bench.pick(50, 2);
    let fleet = Fleet::start(&binary, instances, &database.url_at(proxy.port(), "disable"), &queue).await?;
    let hot = shows::create(&admin, 1, shows::default_pools(shows::SEATS)).await;
    let load = fleet.load(&database, postmaster, instances, hot, 1, length).await;
    let load = checked(&database, load).await;
    bench.say(&format!("  {instances} instances, 1 ms to the database: {}", said(&load)));
    table.row(row(&format!("{instances} instances, one hot show, 1 ms per round trip"), &load));
    drop(fleet);
    section.bars(bars);
    section.table(table);
    section.table(alone(bench, report, &binary, &database, &admin, &queue).await?);
    Ok(())
}

/// One instance, one booking after another: round trips, messages, and whether the calls of the database and the queue
/// overlap.
async fn alone(
    bench: &Bench,
    report: &mut Report,
    binary: &std::path::Path,
    database: &Database,
    admin: &Client,
    queue: &FixedDelayQueue,
) -> Result<Table, String> {
    let calls = bench.pick(200, 20);
    let show = shows::create(admin, 1, shows::default_pools(shows::SEATS)).await;
    let turns = Turns::start(database.port()).await;
    let counted = Fleet::start(binary, 1, &database.url_at(turns.port(), "disable"), queue).await?;
    counted.calls(show, 5).await?;
    let before = (turns.count(), queue.count());
    counted.calls(show, calls).await?;
    let trips = (turns.count() - before.0) as f64 / calls as f64;
    let messages = (queue.count() - before.1) as f64 / calls as f64;

    let proxy = Proxy::start(SocketAddr::from(([127, 0, 0, 1], database.port())), Duration::from_millis(10)).await;
    let far = Fleet::start(binary, 1, &database.url_at(proxy.port(), "disable"), queue).await?;
    far.calls(show, 5).await?;
    let overlap = far.calls(show, calls).await?;
    let what = "a booking with the database 10 ms away and a queue that responds in 10 ms, median";
    report.target(Target::at_most(what, 15.0, "ms", Some(overlap.p50_ms)));

    let mut table = Table::new("One instance, one booking after another", &["", "figure"]);
    table.row(vec![Cell::text("round trips to Postgres per booking"), Cell::number(Some(trips), 2)]);
    table.row(vec![Cell::text("messages per booking"), Cell::number(Some(messages), 2)]);
    table.row(vec![Cell::text(&format!("{what}, ms")), Cell::number(Some(overlap.p50_ms), 1)]);
    Ok(table)
}

async fn checked(database: &Database, load: Result<Load, String>) -> Result<Load, String> {
    let load = load?;
    check(database).await?;
    Ok(load)
}

fn said(load: &Result<Load, String>) -> String {
    load.as_ref().map_or_else(String::clone, |load| format!("{:.0} bookings/s", load.bookings_per_s))
}

fn row(name: &str, load: &Result<Load, String>) -> Vec<Cell> {
    let load = match load {
        Ok(load) => load,
        Err(why) => return vec![Cell::text(name), Cell::text(why)],
    };
    vec![
        Cell::text(name),
        Cell::number(Some(load.bookings_per_s), 0),
        Cell::number(Some(load.latency.p50_ms), 1),
        Cell::number(Some(load.latency.p95_ms), 1),
        Cell::number(Some(load.latency.p99_ms), 1),
        Cell::number(Some(load.latency.max_ms), 0),
        Cell::number(Some(load.refused as f64), 0),
        Cell::number(Some(load.book_cpu_us), 0),
        Cell::number(Some(load.server_cpu_us), 0),
        Cell::number(Some(load.generator_cpu_us), 0),
        Cell::percent(Some(load.busy)),
        Cell::percent(Some(load.waits.row_lock)),
        Cell::percent(Some(load.waits.commit)),
    ]
}

/// The binary and the bare statement in turn. The target is the median ratio of their bookings per second.
async fn beside_statements(
    bench: &Bench,
    postmaster: u32,
    report: &mut Report,
    fleet: &Fleet,
    database: &Database,
    count: usize,
    length: Duration,
) -> Table {
    let mut statements = Subject::new(bench, OURS).await;
    let (mut loads, mut broken) = (Vec::new(), None);
    for _ in 0..bench.pick(3, 1) {
        statements.measure(bench, postmaster, bench.server.port(), count).await;
        let show = shows::create(&database.admin_client().await, 1, shows::default_pools(shows::SEATS)).await;
        match checked(database, fleet.load(database, postmaster, count, show, 1, length).await).await {
            Ok(load) => loads.push(load),
            Err(why) => broken = Some(why),
        }
    }
    let mut table = Table::new(
        &format!("{count} instances compared with {count} connections of pgbench, in turn"),
        &["", "bookings/s", "machine busy", "waits for a row"],
    );
    let alone = statements.broken.clone().or(broken);
    if let Some(why) = alone {
        table.row(vec![Cell::text("book"), Cell::text(&why)]);
        return table;
    }
    let ratio = median(loads.iter().zip(&statements.runs).map(|(load, run)| load.bookings_per_s / run.bookings_per_s));
    let of = |figure: fn(&Load) -> f64| median(loads.iter().map(figure));
    let (busy, row_lock) = (of(|load| load.busy), of(|load| load.waits.row_lock));
    table.row(vec![
        Cell::text("the real book, queue included"),
        Cell::number(of(|load| load.bookings_per_s), 0),
        Cell::percent(busy),
        Cell::percent(row_lock),
    ]);
    table.row(vec![
        Cell::text("the statement alone"),
        Cell::number(statements.bookings_per_s(), 0),
        Cell::percent(statements.median(|run| run.busy)),
        Cell::percent(statements.median(|run| run.waits.row_lock)),
    ]);
    let what = |what: &str| format!("real book, {count} instances{what}");
    report.target(Target::at_least(&what(" / the statement alone"), 1.0 / 3.0, ratio));
    report.target(Target::share_at_least(&what(": processors in use (limited by CPU)"), 0.9, busy));
    report.target(Target::share_at_most(&what(": backends that wait for a row (not by locks)"), 0.1, row_lock));
    table
}
