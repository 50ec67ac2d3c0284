//! The log: lines on the standard output, which Lambda keeps.

use std::io;

use tracing_subscriber::filter::LevelFilter;

use crate::aws::environment;

/// Begins to log. `AWS_LAMBDA_LOG_LEVEL`, else `RUST_LOG`, is the least level that is written, `INFO` unless set; with
/// `AWS_LAMBDA_LOG_FORMAT=JSON` each line is an object.
///
/// Not by the runtime's own set-up: its filter language brings a regular-expression engine into every binary.
pub fn init() {
    let level = environment("AWS_LAMBDA_LOG_LEVEL").or_else(|| environment("RUST_LOG"));
    let level = level.and_then(|text| text.parse().ok()).unwrap_or(LevelFilter::INFO);
    // Lambda adds the time.
    let log = tracing_subscriber::fmt().with_max_level(level).with_target(false).without_time().with_writer(io::stdout);
    // The second of two calls finds a log; that is no reason to end.
    let _ = if environment("AWS_LAMBDA_LOG_FORMAT").is_some_and(|format| format.eq_ignore_ascii_case("json")) {
        tracing::subscriber::set_global_default(log.json().finish())
    } else {
        tracing::subscriber::set_global_default(log.with_ansi(false).finish())
    };
}
