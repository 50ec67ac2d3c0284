//! The machine on which a report was made.

use std::fmt;

use serde::Serialize;

/// The properties of the machine that affect figures.
#[derive(Serialize)]
pub(crate) struct Machine {
    processor: String,
    processors: usize,
    kernel: String,
    postgres: String,
    at: String,
}

impl Machine {
    /// Describes this machine, with the server's version.
    pub(crate) fn here(postgres: String) -> Self {
        let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            processor: model.map_or("unknown", |(_, name)| name).to_owned(),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: kernel.trim().to_owned(),
            postgres,
            at: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { processor, processors, kernel, postgres, at } = self;
        write!(f, "{at}, {processors} x {processor}, Linux {kernel}, Postgres {postgres}, everything on one machine")
    }
}
