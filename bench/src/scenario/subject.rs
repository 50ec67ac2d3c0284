//! A statement with a database of its own, and one run of it.

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

/// Shows of the subject that has no contention; shared out among the connections.
const MANY: i32 = 1000;
/// Enough for the fastest round on seat rows.
const SEAT_ROWS: i32 = 100_000;

/// How a subject keeps its seats.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Layout {
    /// One show for all, with as many pools as a show of its size has.
    HotByDefault,
    /// One show for all, with so many pools.
    Hot { pools: i32 },
    /// Shows of one pool, and no two connections book the same one.
    ShowEach,
    /// One show for all, a row for each seat.
    SeatRows,
    /// One show for all, with as many pools as a show of its size has, and holds that are to be paid for.
    Held,
}

impl Layout {
    /// By what its figure is counted.
    fn rows(self) -> Rows {
        match self {
            Self::Held => Rows::Payments,
            Self::HotByDefault | Self::Hot { .. } | Self::ShowEach | Self::SeatRows => Rows::Bookings,
        }
    }

    /// What stands for the statement's parameters.
    fn parameters(self) -> &'static [&'static str] {
        match self.rows() {
            Rows::Payments => script::RECORD_PAYMENT,
            Rows::Bookings => script::BOOK,
        }
    }
}

/// What is to be measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
    /// What the schema needs besides ours.
    pub(crate) schema: Option<&'static str>,
    pub(crate) layout: Layout,
    /// A target needs it: it runs in every round, the others in the first alone.
    pub(crate) every_round: bool,
}

/// A plan with its database, and what its runs gave.
pub(crate) struct Subject {
    pub(crate) plan: Plan,
    database: Database,
    admin: Client,
    pub(crate) runs: Vec<Run>,
    /// Why it has no figure.
    pub(crate) broken: Option<String>,
}

/// One run's figures.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Run {
    pub(crate) bookings_per_s: f64,
    /// Transactions a booking: more than one where attempts fail.
    pub(crate) attempts: f64,
    #[serde(skip)]
    pub(crate) micros: Vec<u64>,
    pub(crate) server_cpu_us: f64,
    pub(crate) client_cpu_us: f64,
    /// Share of the machine's processors in use, 0 to 1.
    pub(crate) busy: f64,
    pub(crate) waits: Waits,
}

impl Subject {
    /// Makes its database.
    pub(crate) async fn new(bench: &Bench, plan: Plan) -> Self {
        let database = bench.database().await;
        let admin = database.admin_client().await;
        shows::create_past(&admin).await;
        if let Some(schema) = plan.schema {
            database.client().await.batch_execute(schema).await.expect("the alternative's schema should apply");
        }
        Self { plan, database, admin, runs: Vec::new(), broken: None }
    }

    /// One run through `port`. A subject that is broken stays so.
    pub(crate) async fn measure(&mut self, bench: &Bench, postmaster: u32, port: u16, connections: usize) {
        if self.broken.is_some() {
            return;
        }
        match self.run(bench, postmaster, port, connections).await {
            Ok(run) => self.runs.push(run),
            Err(why) => self.broken = Some(why),
        }
    }

    /// Forgets the runs, for others that are not to be compared with them.
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

    /// Round trips a booking, by one connection through a proxy that counts them.
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
        // What opens and prepares is the same in both.
        Ok((counts[1] as f64 - counts[0] as f64) / (many - few) as f64)
    }

    /// A fresh show, or shows: an expression for pgbench.
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
        // As autovacuum would have done by the time a real show is sold.
        self.admin.batch_execute("ANALYZE").await.expect("a superuser may");
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

    /// The median of the runs.
    pub(crate) fn bookings_per_s(&self) -> Option<f64> {
        self.median(|run| run.bookings_per_s)
    }

    /// The median of a figure over the runs; nothing when it is broken.
    pub(crate) fn median(&self, figure: impl Fn(&Run) -> f64) -> Option<f64> {
        if self.broken.is_some() { None } else { median(self.runs.iter().map(figure)) }
    }

    /// The median over rounds of its figure by another's of the same round: what drifts between rounds falls out.
    pub(crate) fn ratio_to(&self, other: &Self) -> Option<f64> {
        if self.broken.is_some() || other.broken.is_some() {
            return None;
        }
        // Of a subject that ran in the first round alone, that one is compared.
        median(self.runs.iter().zip(&other.runs).map(|(own, other)| own.bookings_per_s / other.bookings_per_s))
    }

    /// Of all transactions of all runs.
    pub(crate) fn latency(&self) -> Latency {
        Latency::of(self.runs.iter().flat_map(|run| run.micros.iter().copied()).collect())
    }
}
