//! Start, login and logs of every binary.

mod log_lines;
mod login;
mod logs;
mod start;
