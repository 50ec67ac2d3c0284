//! The booking statement alone: ours compared with the limit and with common alternatives.

use crate::bench::Bench;
use crate::report::{Bars, Cell, Report, Section, Table, Target};

use super::redis;
use super::subject::{Layout, Plan, Subject};

/// The same text that the Lambda runs.
const BOOK: &str = include_str!("../../../shared/src/bookings/book/own_pool.sql");
const ONE_STATEMENT: &str = include_str!("../../sql/one_statement.sql");

pub(super) const LIMIT: Plan = Plan {
    name: "the limit: same row changes, no contention",
    sql: ONE_STATEMENT,
    schema: None,
    layout: Layout::ShowEach,
    every_round: true,
};
pub(super) const OURS: Plan =
    Plan { name: "Boxoffice", sql: BOOK, schema: None, layout: Layout::HotByDefault, every_round: true };
pub(super) const FIVE: Plan = Plan {
    name: "five statements, FOR UPDATE, one row",
    sql: include_str!("../../sql/five_statements.sql"),
    schema: None,
    layout: Layout::Hot { pools: 1 },
    every_round: true,
};
const ONE_ROW: Plan = Plan {
    name: "one statement, one row",
    sql: ONE_STATEMENT,
    schema: None,
    layout: Layout::Hot { pools: 1 },
    every_round: false,
};
const OPTIMISTIC: Plan = Plan {
    name: "optimistic, a version column, retries",
    sql: include_str!("../../sql/optimistic.sql"),
    schema: Some(include_str!("../../sql/optimistic_schema.sql")),
    layout: Layout::Hot { pools: 1 },
    every_round: false,
};
const SEAT_ROWS: Plan = Plan {
    name: "a row per seat, SKIP LOCKED",
    sql: include_str!("../../sql/seat_rows.sql"),
    schema: Some(include_str!("../../sql/seat_rows_schema.sql")),
    layout: Layout::SeatRows,
    every_round: false,
};

/// Ours and the limit need the closest comparison, so they are adjacent in each round.
const PLANS: [Plan; 6] = [LIMIT, OURS, FIVE, ONE_ROW, OPTIMISTIC, SEAT_ROWS];

/// How many of them, from the first, have targets.
const WITH_TARGETS: usize = 3;

/// Measures 1, 16, 50 and 200 connections.
pub(super) async fn run(bench: &Bench, postmaster: u32, report: &mut Report) {
    let mut section = Section::new("statements", "The statements alone, one hot show");
    section.note(
        "Each figure is the median of the rounds. Each round runs every subject once, one after another, by `pgbench \
         -M prepared` with the same connections; bookings are counted as rows that exist afterwards. Durability is \
         the same for all: fsync=on, synchronous_commit=on. 2 seats per booking.",
    );
    let mut bars = Bars::new("Bookings per second on one hot show", "bookings/s");
    let has_redis = redis::is_installed().await;
    section.note(if has_redis {
        "Redis keeps everything in memory and runs one script at a time. It is measured by redis-benchmark, in one run."
    } else {
        "Redis is not measured: redis-server is not installed (on Debian: apt-get install redis-server)."
    });
    let mut subjects = make(bench, &PLANS).await;
    for connections in bench.pick(&[1, 16, 50, 200][..], &[16][..]) {
        // Sizes with targets get more rounds and all subjects.
        let is_target = *connections >= 50;
        let rounds = bench.pick(if is_target { 3 } else { 1 }, 1);
        let count = if is_target || bench.options.quick { PLANS.len() } else { WITH_TARGETS };
        let subjects = &mut subjects[..count];
        rounds_of(bench, postmaster, subjects, *connections, rounds, bench.server.port()).await;
        let mut table = table(&format!("{connections} connections"), subjects);
        let mut figures = labelled(subjects);
        if has_redis && *connections >= bench.pick(50, 1) {
            add_redis(bench, *connections, subjects[0].bookings_per_s(), &mut table, &mut figures).await;
        }
        section.table(table);
        bars.group(&format!("{connections} connections"), &figures);
        if is_target || bench.options.quick {
            targets(report, *connections, subjects);
        }
    }
    section.bars(bars);
    section.table(trips(bench, &subjects).await);
    report.add(section);
}

/// Measures how many pools it takes.
pub(super) async fn run_pools(bench: &Bench, postmaster: u32, report: &mut Report) {
    let mut section = Section::new("pools", "The booking statement by number of pools");
    let pools = |name, pools| Plan { name, layout: Layout::Hot { pools }, ..OURS };
    let plans = [LIMIT, pools("1 pool", 1), pools("16 pools", 16), pools("64 pools", 64), pools("256 pools", 256)];
    let mut bars = Bars::new("Bookings per second on one hot show", "bookings/s");
    let mut subjects = make(bench, &plans).await;
    for connections in [50, 200] {
        rounds_of(bench, postmaster, &mut subjects, connections, bench.pick(2, 1), bench.server.port()).await;
        section.table(table(&format!("{connections} connections"), &subjects));
        bars.group(&format!("{connections} connections"), &labelled(&subjects));
    }
    section.bars(bars);
    report.add(section);
}

/// Creates a subject with its database for each plan.
pub(super) async fn make(bench: &Bench, plans: &[Plan]) -> Vec<Subject> {
    let mut subjects = Vec::new();
    for plan in plans {
        subjects.push(Subject::new(bench, *plan).await);
    }
    subjects
}

/// Measures every subject in every round, in turn.
pub(super) async fn rounds_of(
    bench: &Bench,
    postmaster: u32,
    subjects: &mut [Subject],
    connections: usize,
    rounds: usize,
    port: u16,
) {
    subjects.iter_mut().for_each(Subject::clear);
    for round in 0..rounds {
        for subject in subjects.iter_mut().filter(|subject| round == 0 || subject.plan.every_round) {
            subject.measure(bench, postmaster, port, connections).await;
        }
        // Alternate the direction: the first subject of one round is the last of the next.
        subjects.reverse();
        bench.say(&format!("  {connections} connections, round {} of {rounds}", round + 1));
    }
    if rounds % 2 == 1 {
        subjects.reverse();
    }
    for subject in subjects.iter() {
        let figure = subject.bookings_per_s().map_or("broken".into(), |figure| format!("{figure:.0}"));
        bench.say(&format!("    {:50} {figure:>8} bookings/s", subject.plan.name));
    }
}

async fn add_redis(
    bench: &Bench,
    connections: usize,
    limit: Option<f64>,
    table: &mut Table,
    figures: &mut Vec<(String, Option<f64>)>,
) {
    for durability in redis::DURABILITIES {
        let run = redis::run(durability, connections, bench.options.quick).await;
        figures.push((durability.name.to_owned(), run.as_ref().ok().map(|run| run.bookings_per_s)));
        let mut row = vec![Cell::text(durability.name)];
        match run {
            Err(why) => row.push(Cell::text(&why)),
            Ok(run) => {
                bench.say(&format!("    {:50} {:>8.0} bookings/s", durability.name, run.bookings_per_s));
                row.extend([
                    Cell::number(Some(run.bookings_per_s), 0),
                    Cell::number(limit.map(|limit| run.bookings_per_s / limit), 2),
                    Cell::number(Some(run.latency.p50_ms), 1),
                    Cell::number(Some(run.latency.p95_ms), 1),
                    Cell::number(Some(run.latency.p99_ms), 1),
                    Cell::number(Some(run.latency.max_ms), 0),
                ]);
            }
        }
        table.row(row);
    }
}

pub(super) fn table(title: &str, subjects: &[Subject]) -> Table {
    let columns = [
        "",
        "bookings/s",
        "of the limit",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "max ms",
        "transactions per booking",
        "server CPU µs",
        "client CPU µs",
        "machine busy",
        "waits for a row",
        "waits for commit",
    ];
    let mut table = Table::new(title, &columns);
    for subject in subjects {
        let latency = subject.latency();
        let mut row = vec![Cell::text(subject.plan.name)];
        match &subject.broken {
            Some(why) => row.push(Cell::text(why)),
            None => row.extend([
                Cell::number(subject.bookings_per_s(), 0),
                Cell::number(subject.ratio_to(&subjects[0]), 2),
                Cell::number(Some(latency.p50_ms), 1),
                Cell::number(Some(latency.p95_ms), 1),
                Cell::number(Some(latency.p99_ms), 1),
                Cell::number(Some(latency.max_ms), 0),
                Cell::number(subject.median(|run| run.attempts), 2),
                Cell::number(subject.median(|run| run.server_cpu_us), 0),
                Cell::number(subject.median(|run| run.client_cpu_us), 0),
                Cell::percent(subject.median(|run| run.busy)),
                Cell::percent(subject.median(|run| run.waits.row_lock)),
                Cell::percent(subject.median(|run| run.waits.commit)),
            ]),
        }
        table.row(row);
    }
    table
}

pub(super) fn labelled(subjects: &[Subject]) -> Vec<(String, Option<f64>)> {
    subjects.iter().map(|subject| (subject.plan.name.to_owned(), subject.bookings_per_s())).collect()
}

pub(super) fn find<'a>(subjects: &'a [Subject], plan: &Plan) -> &'a Subject {
    subjects.iter().find(|subject| subject.plan.name == plan.name).expect("it was measured")
}

fn targets(report: &mut Report, connections: usize, subjects: &[Subject]) {
    let ours = find(subjects, &OURS);
    let at = |what: &str| format!("{what}, {connections} connections");
    report.target(Target::at_least(&at("hot show / the limit"), 0.8, ours.ratio_to(find(subjects, &LIMIT))));
    let least = if connections == 200 { 15.0 } else { 6.0 };
    report.target(Target::at_least(&at("hot show / five statements"), least, ours.ratio_to(find(subjects, &FIVE))));
}

/// Counts the round trips per booking on an idle server.
async fn trips(bench: &Bench, subjects: &[Subject]) -> Table {
    let mut table = Table::new("Round trips per booking, one connection", &["", "round trips"]);
    for subject in subjects {
        let trips = subject.round_trips(bench).await;
        let cell = trips.map_or_else(|why| Cell::text(&why), |trips| Cell::number(Some(trips), 2));
        table.row(vec![Cell::text(subject.plan.name), cell]);
    }
    table
}
