//! The rows and pages that a statement reads do not grow with unrelated data: other shows, other holders' bookings,
//! settled bookings, holds that are not over.
//!
//! The tests count the rows and pages that the server reads, including those of its functions and triggers, in two
//! databases. They differ only in unrelated data: one has ten times as much. No time is measured.

mod cases;
mod data;

use std::{
    collections::BTreeSet,
    fmt, fs,
    path::{Path, PathBuf},
};

use cases::{CASES, Case};
use data::{FEW, MANY, scene};
use tokio_postgres::Client;

/// What the server reads for a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Read {
    /// Table rows and index entries.
    rows: i64,
    /// Page accesses.
    pages: i64,
}

impl Read {
    /// Whether this is acceptable if `few` was read with a tenth of the unrelated data. An index with ten times as many
    /// entries may have one more level.
    fn is_within(self, few: Self) -> bool {
        self.rows <= few.rows + few.rows / 4 + 10 && self.pages <= 2 * few.pages + 20
    }
}

impl fmt::Display for Read {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows, {} pages", self.rows, self.pages)
    }
}

impl Case {
    fn text(&self) -> String {
        self.files.iter().map(|file| fs::read_to_string(statements().join(file)).expect(file)).collect()
    }

    /// Runs the statement and rolls it back. Returns what was read, and the plan.
    async fn read(&self, client: &Client, plans: &str) -> (Read, String) {
        client.batch_execute(&format!("SET plan_cache_mode = {plans}")).await.unwrap();
        let list = |list: &str| if list.is_empty() { String::new() } else { format!("({list})") };
        let prepare = format!("PREPARE it {} AS {}", list(self.types), self.text());
        client.batch_execute(&prepare).await.unwrap_or_else(|error| panic!("{self}: {error}"));
        client.batch_execute("BEGIN").await.unwrap();
        let before = so_far(client).await;
        let execute = format!("EXECUTE it {}", list(self.values));
        client.batch_execute(&execute).await.unwrap_or_else(|error| panic!("{self}: {error}"));
        let after = so_far(client).await;
        client.batch_execute("ROLLBACK").await.unwrap();
        let plan = client.query(&format!("EXPLAIN {execute}"), &[]).await.unwrap();
        let plan = plan.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>().join("\n");
        client.batch_execute("DEALLOCATE it").await.unwrap();
        (Read { rows: after.rows - before.rows, pages: after.pages - before.pages }, plan)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.files[0], self.values)
    }
}

/// What this session has read and not yet added to the server's statistics. A difference of two calls in one
/// transaction is what was read in between.
async fn so_far(client: &Client) -> Read {
    let sums = "
        SELECT coalesce(sum(pg_stat_get_xact_tuples_returned(oid)), 0)::bigint,
            coalesce(sum(pg_stat_get_xact_blocks_fetched(oid)), 0)::bigint
        FROM pg_class
        WHERE relkind IN ('r', 'i', 't', 'm') AND relnamespace IN ('public'::regnamespace, 'pg_toast'::regnamespace)";
    let row = client.query_one(sums, &[]).await.unwrap();
    Read { rows: row.get(0), pages: row.get(1) }
}

/// The folder of all statements.
fn statements() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// All `.sql` files in and below a folder.
fn sql_files(dir: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sql_files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "sql") {
            found.insert(path);
        }
    }
}

#[test]
fn every_statement_has_a_case() {
    let mut found = BTreeSet::new();
    sql_files(&statements(), &mut found);
    let named: BTreeSet<_> = CASES.iter().flat_map(|case| case.files).map(|file| statements().join(file)).collect();
    let missing: Vec<_> = found.difference(&named).collect();
    assert!(missing.is_empty(), "add a case for each to CASES, and data unrelated to it to UNRELATED: {missing:?}");
    assert_eq!(named.difference(&found).count(), 0, "a case names a file that does not exist");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_statement_reads_more_as_unrelated_rows_grow() {
    let (few, many) = tokio::join!(scene(FEW), scene(MANY));
    let mut grown = Vec::new();
    for plans in ["force_custom_plan", "force_generic_plan"] {
        for case in CASES {
            let (less, _) = case.read(&few, plans).await;
            let (more, plan) = case.read(&many, plans).await;
            if !more.is_within(less) {
                grown.push(format!("{case}, {plans}: {less}; with ten times the unrelated data {more}\n{plan}"));
            }
        }
    }
    assert!(grown.is_empty(), "{} statements read more:\n{}", grown.len(), grown.join("\n\n"));
}

/// Shows that the test above detects a former defect: `clock_timestamp()` is volatile, so it does not bound an index
/// scan.
#[tokio::test]
async fn a_bound_by_clock_timestamp_reads_every_hold() {
    let client = scene(FEW).await;
    client.batch_execute("BEGIN; SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off").await.unwrap();
    let read = async |clock: &str| {
        let before = so_far(&client).await;
        let due = format!("SELECT FROM bookings WHERE status = 'PENDING' AND expires_at <= {clock} - interval '1 day'");
        client.batch_execute(&due).await.unwrap();
        so_far(&client).await.rows - before.rows
    };
    let (moving, fixed) = (read("clock_timestamp()").await, read("statement_timestamp()").await);
    assert!(moving > i64::from(FEW) && fixed == 0, "{moving}, {fixed}");
}
