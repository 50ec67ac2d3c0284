//! Measuring.

pub(crate) mod cpu;
pub(crate) mod pgbench;
pub(crate) mod script;
pub(crate) mod stats;
pub(crate) mod turns;
pub(crate) mod waits;
pub(crate) mod window;
