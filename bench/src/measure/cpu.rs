//! CPU time, from `/proc`.

use std::fs;
use std::path::Path;
use std::time::Duration;

use boxoffice_testkit::lambda::Usage;

/// The CPU time of a process and its running children: of a Postgres server, given its postmaster.
pub(crate) fn of_family(pid: u32) -> Duration {
    let children: Duration = children(pid).into_iter().map(of).sum();
    of(pid) + children
}

/// The CPU time of a running process.
pub(crate) fn of(pid: u32) -> Duration {
    Usage::of(pid).cpu
}

/// The parent process id.
pub(crate) fn parent(pid: u32) -> Option<u32> {
    let text = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    // The name may contain spaces and parentheses; the state and the parent follow it.
    text.rsplit_once(") ")?.1.split_whitespace().nth(1)?.parse().ok()
}

/// The CPU time of the machine since it started, as (busy, total), in ticks summed over all processors.
pub(crate) fn of_machine() -> (u64, u64) {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields: Vec<u64> =
        text.lines().next().unwrap_or_default().split_whitespace().skip(1).flat_map(str::parse).collect();
    // user nice system idle iowait irq softirq steal. The guests' ticks are included in user.
    let all: u64 = fields.iter().take(8).sum();
    let idle: u64 = fields.iter().skip(3).take(2).sum();
    (all - idle, all)
}

fn children(pid: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|child| parent(*child) == Some(pid)).collect()
}
