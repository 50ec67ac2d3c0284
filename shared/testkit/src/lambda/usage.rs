//! The resource usage of a process, from `/proc`.

use std::path::Path;
use std::time::Duration;

/// The resources that a process has used since its start.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// CPU time, user and system, of the threads that still run.
    pub cpu: Duration,
    /// The peak resident memory (`VmHWM`), in bytes.
    pub peak_memory_bytes: u64,
}

impl Usage {
    /// The usage of a running process; zero where the system does not report it.
    pub fn of(pid: u32) -> Self {
        let proc = Path::new("/proc").join(pid.to_string());
        Self { cpu: cpu(&proc), peak_memory_bytes: peak_memory_bytes(&proc).unwrap_or_default() }
    }
}

/// Uses `schedstat`, which counts nanoseconds; `stat` counts only hundredths of a second.
fn cpu(proc: &Path) -> Duration {
    let threads = std::fs::read_dir(proc.join("task")).into_iter().flatten().flatten();
    let nanos = threads.filter_map(|thread| {
        let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}

fn peak_memory_bytes(proc: &Path) -> Option<u64> {
    let status = std::fs::read_to_string(proc.join("status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}
