//! Processor time, from `/proc`.

use std::fs;
use std::path::Path;
use std::time::Duration;

use boxoffice_testkit::lambda::Usage;

/// Of a process and its children that run now: of a Postgres server, by its postmaster.
pub(crate) fn of_family(pid: u32) -> Duration {
    let children: Duration = children(pid).into_iter().map(of).sum();
    of(pid) + children
}

/// Of a process that runs.
pub(crate) fn of(pid: u32) -> Duration {
    Usage::of(pid).cpu
}

/// The parent of a process.
pub(crate) fn parent(pid: u32) -> Option<u32> {
    let text = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    // After the name, which may have spaces and parentheses in it, come the state and the parent.
    text.rsplit_once(") ")?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Of the whole machine since it started: (busy, in all), in ticks of all processors.
pub(crate) fn of_machine() -> (u64, u64) {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields: Vec<u64> =
        text.lines().next().unwrap_or_default().split_whitespace().skip(1).flat_map(str::parse).collect();
    // user nice system idle iowait irq softirq steal; the guests' are in user already.
    let all: u64 = fields.iter().take(8).sum();
    let idle: u64 = fields.iter().skip(3).take(2).sum();
    (all - idle, all)
}

fn children(pid: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|child| parent(*child) == Some(pid)).collect()
}
