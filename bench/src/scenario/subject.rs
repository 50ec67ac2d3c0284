//! A statement under test, with its own database and its runs.

use std::time::Duration;

use boxoffice_testkit::postgres::Database;
use serde::Serialize;
use tokio_postgres::Client;

use crate::bench::{Bench, check};
use crate::measure::pgbench::{Length, Pgbench, Running};
use crate::measure::script::{self, script};
use crate::measure::stats::{Latency, median};
use crate::measure::turns::Turns;
use crate::measure::waits::Waits;
use crate::measure::window::{Window, observe};
use crate::shows::{self, Rows};

/// The number of shows of the subject without contention, divided among its connections.
const MANY: i32 = 1000;
/// Enough for the fastest round with seat rows.
const SEAT_ROWS: i32 = 100_000;

/// How a subject stores its seats.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Layout {
    /// One show for all, with the default number of pools.
    HotByDefault,
    /// One show for all, with this many pools.
    Hot { pools: i32 },
    /// Many shows of one pool; no two connections book the same show.
    ShowEach,
    /// One show for all, with a row per seat.
    SeatRows,
    /// One show for all, with the default number of pools, and holds to be paid for.
    Held,
}

impl Layout {
    /// The rows that its figure counts.
    fn rows(self) -> Rows {
        match self {
            Self::Held => Rows::Payments,
            Self::HotByDefault | Self::Hot { .. } | Self::ShowEach | Self::SeatRows => Rows::Bookings,
        }
    }

    /// The replacements for the statement's parameters.
    fn parameters(self) -> &'static [&'static str] {
        match self.rows() {
            Rows::Payments => script::RECORD_PAYMENT,
            Rows::Bookings => script::BOOK,
        }
    }
}

/// What to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
    /// Additions to our schema.
    pub(crate) schema: Option<&'static str>,
    pub(crate) layout: Layout,
    /// Whether it runs in every round because a target needs it. The others run only in the first.
    pub(crate) every_round: bool,
}

/// A plan with its database and its runs.
pub(crate) struct Subject {
    pub(crate) plan: Plan,
    database: Database,
    admin: Client,
    pub(crate) runs: Vec<Run>,
    /// Why it has no figure, if it is broken.
    pub(crate) broken: Option<String>,
}

/// The figures of a run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Run {
    pub(crate) bookings_per_s: f64,
    /// Transactions per booking: more than one if attempts fail.
    pub(crate) attempts: f64,
    #[serde(skip)]
    pub(crate) micros: Vec<u64>,
    pub(crate) server_cpu_us: f64,
    pub(crate) client_cpu_us: f64,
    /// The share of the machine's processors in use, 0 to 1.
    pub(crate) busy: f64,
    pub(crate) waits: Waits,
}

impl Subject {
    /// Creates its database.
    pub(crate) async fn new(bench: &Bench, plan: Plan) -> Self {
        let database = bench.database().await;
        let admin = database.admin_client().await;
        shows::create_past(&admin).await;
        if let Some(schema) = plan.schema {
            database.client().await.batch_execute(schema).await.expect("the alternative's schema should apply");
        }
        Self { plan, database, admin, runs: Vec::new(), broken: None }
    }

    /// Makes a run through `port`. A broken subject stays broken.
    pub(crate) async fn measure(&mut self, bench: &Bench, postmaster: u32, port: u16, connections: usize) {
        if self.broken.is_some() {
            return;
        }
        match self.run(bench, postmaster, port, connections).await {
            Ok(run) => self.runs.push(run),
            Err(why) => self.broken = Some(why),
        }
    }

    /// Discards the runs, before runs that must not be compared with them.
    pub(crate) fn clear(&mut self) {
        self.runs.clear();
    }

    async fn run(&self, bench: &Bench, postmaster: u32, port: u16, connections: usize) -> Result<Run, String> {
        let show = self.make_show(connections).await;
        let window = Window::of(connections, bench.options.quick);
        let running = self.start(bench, port, connections, Length::UntilStopped, &show)?;
        let observed = observe(&self.database, &running, postmaster, connections, window).await;
        let transactions = running.finish().await?;
        let observed = observed?;
        check(&self.database).await?;
        let (from, to) = (observed.from_us, observed.to_us);
        let rows = self.plan.layout.rows().between(&self.admin, from, to).await;
        if rows == 0 {
            return Err("broken: it did nothing".into());
        }
        let inside = transactions.iter().filter(|transaction| (from..to).contains(&transaction.ended_us));
        let micros: Vec<u64> = inside.map(|transaction| transaction.took_us).collect();
        let per_row = |time: Duration| time.as_secs_f64() * 1e6 / rows as f64;
        Ok(Run {
            bookings_per_s: rows as f64 / (to - from) as f64 * 1e6,
            attempts: micros.len() as f64 / rows as f64,
            micros,
            server_cpu_us: per_row(observed.server),
            client_cpu_us: per_row(observed.client),
            busy: observed.busy,
            waits: observed.waits,
        })
    }

    /// Counts the round trips per booking, on one connection through a counting proxy.
    pub(crate) async fn round_trips(&self, bench: &Bench) -> Result<f64, String> {
        let turns = Turns::start(self.database.port()).await;
        let (few, many) = (100, 300);
        let mut counts = [0; 2];
        for (count, transactions) in counts.iter_mut().zip([few, many]) {
            let before = turns.count();
            let show = self.make_show(1).await;
            self.start(bench, turns.port(), 1, Length::Transactions(transactions), &show)?.finish().await?;
            *count = turns.count() - before;
        }
        // Connecting and preparing take the same number in both.
        Ok((counts[1] as f64 - counts[0] as f64) / (many - few) as f64)
    }

    /// Creates a show or shows. Returns a pgbench expression for the show's id.
    async fn make_show(&self, connections: usize) -> String {
        let show = match self.plan.layout {
            Layout::HotByDefault => shows::create(&self.admin, 1, shows::default_pools(shows::SEATS)).await.to_string(),
            Layout::Hot { pools } => shows::create(&self.admin, 1, pools).await.to_string(),
            Layout::SeatRows => shows::create_seat_rows(&self.admin, SEAT_ROWS).await.to_string(),
            Layout::Held => shows::create_held(&self.admin, connections).await.to_string(),
            Layout::ShowEach => {
                let first = shows::create(&self.admin, MANY, 1).await;
                let each = MANY / connections as i32;
                format!("{first} + :client_id + {connections} * random(0, {})", each - 1)
            }
        };
        // Autovacuum would have done this by the time a real show is sold.
        self.admin.batch_execute("ANALYZE").await.expect("a superuser may run ANALYZE");
        show
    }

    fn start(
        &self,
        bench: &Bench,
        port: u16,
        connections: usize,
        length: Length,
        show: &str,
    ) -> Result<Running, String> {
        let script = script(self.plan.sql, self.plan.layout.parameters(), show);
        let database = self.database.name();
        Pgbench { program: bench.pgbench(), port, database, script: &script, connections, length }.start()
    }

    /// The median bookings per second over the runs.
    pub(crate) fn bookings_per_s(&self) -> Option<f64> {
        self.median(|run| run.bookings_per_s)
    }

    /// The median of a figure over the runs; `None` if the subject is broken.
    pub(crate) fn median(&self, figure: impl Fn(&Run) -> f64) -> Option<f64> {
        if self.broken.is_some() { None } else { median(self.runs.iter().map(figure)) }
    }

    /// The median over rounds of its figure divided by the other's in the same round, which cancels any drift between
    /// rounds.
    pub(crate) fn ratio_to(&self, other: &Self) -> Option<f64> {
        if self.broken.is_some() || other.broken.is_some() {
            return None;
        }
        // If one of them ran only in the first round, only that round is compared.
        median(self.runs.iter().zip(&other.runs).map(|(own, other)| own.bookings_per_s / other.bookings_per_s))
    }

    /// Over all transactions of all runs.
    pub(crate) fn latency(&self) -> Latency {
        Latency::of(self.runs.iter().flat_map(|run| run.micros.iter().copied()).collect())
    }
}
