//! Where the time from a process's start to its first response goes, observed from outside.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use boxoffice_testkit::lambda::Instance;
use bytes::Bytes;
use tokio::time::sleep;

use crate::measure::stats::median;
use crate::measure::turns::Turns;
use crate::report::{Cell, Table};

const COLUMNS: [&str; 7] = [
    "",
    "begins to connect ms",
    "connected and prepared ms",
    "ready ms",
    "first response ms",
    "own CPU until ready ms",
    "round trips until ready",
];
/// Time for the last log line to be read. A missing response runs into the instance's own timeout.
const SETTLE: Duration = Duration::from_millis(20);

/// A function to be started, with its environment.
pub(super) struct Started<'a> {
    pub(super) name: &'a str,
    pub(super) binary: &'a PathBuf,
    pub(super) env: Vec<(&'static str, String)>,
    pub(super) event: Bytes,
}

/// Starts each function several times, one after another. `turns` is the proxy between them and their database.
pub(super) async fn profile(functions: &[Started<'_>], turns: &Turns, starts: usize) -> Result<Table, String> {
    let mut table = Table::new("Where the time goes: medians, counted from the start of the process", &COLUMNS);
    for function in functions {
        let mut starts_ms: Vec<[f64; 6]> = Vec::new();
        for _ in 0..starts {
            starts_ms.push(once(function, turns).await?);
        }
        let mut row = vec![Cell::text(function.name)];
        row.extend((0..6).map(|index| Cell::number(median(starts_ms.iter().map(|start| start[index])), 1)));
        table.row(row);
    }
    Ok(table)
}

async fn once(function: &Started<'_>, turns: &Turns) -> Result<[f64; 6], String> {
    let broken = |error| format!("broken: {}: {error}", function.name);
    let builder = Instance::builder(function.binary);
    let builder = function.env.iter().fold(builder, |builder, (key, value)| builder.env(key, value));
    let before = turns.count();
    let since = Instant::now();
    let instance = builder.start().await;
    let ready = instance.ready().await.map_err(broken)?;
    let (accepted, replied, trips) = (turns.accepted(), turns.replied(), turns.count() - before);
    let cpu = instance.usage().cpu;
    let asked = Instant::now();
    instance.invoke_bytes(function.event.clone()).await.map_err(broken)?;
    let answered = ready + asked.elapsed();
    drop(instance);
    sleep(SETTLE).await;
    let after = |at: Option<Instant>| at.map_or(f64::NAN, |at| ms(at.saturating_duration_since(since)));
    Ok([after(accepted), after(replied), ms(ready), ms(answered), ms(cpu), trips as f64])
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
