//! What a process has used so far, from `/proc`.

use std::path::Path;
use std::time::Duration;

/// What a process has used since its start.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// On a processor, user and system, of the threads that still run.
    pub cpu: Duration,
    /// The most memory resident at once (`VmHWM`), in bytes.
    pub peak_memory_bytes: u64,
}

impl Usage {
    /// Of a running process; zero where the system does not say.
    pub fn of(pid: u32) -> Self {
        let proc = Path::new("/proc").join(pid.to_string());
        Self { cpu: cpu(&proc), peak_memory_bytes: peak_memory_bytes(&proc).unwrap_or_default() }
    }
}

/// `schedstat` counts nanoseconds; `stat` only hundredths of a second.
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
