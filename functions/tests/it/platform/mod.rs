//! Startup and logs of every binary.

mod log_lines;
mod logs;
mod start;
