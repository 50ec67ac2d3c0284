//! The log: lines on the standard output, which Lambda keeps.

use std::io;

use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt,
    prelude::*,
    registry,
};

use crate::platform::aws::environment;

/// What the targets of our own events begin with: the names of our packages.
const OURS: &str = "boxoffice";

/// Begins to log. `AWS_LAMBDA_LOG_LEVEL`, else `RUST_LOG`, is the least level that is written, `INFO` unless set; with
/// `AWS_LAMBDA_LOG_FORMAT=JSON` each line is an object.
///
/// Not by the runtime's own set-up: its filter language brings a regular-expression engine into every binary.
pub fn init() {
    let level = environment("AWS_LAMBDA_LOG_LEVEL").or_else(|| environment("RUST_LOG"));
    let level = level.and_then(|text| text.parse().ok()).unwrap_or(LevelFilter::INFO);
    // Lambda adds the time.
    let log = fmt::layer().with_target(false).without_time().with_writer(io::stdout);
    let log = if environment("AWS_LAMBDA_LOG_FORMAT").is_some_and(|format| format.eq_ignore_ascii_case("json")) {
        log.json().boxed()
    } else {
        log.with_ansi(false).boxed()
    };
    // The second of two calls finds a log; that is no reason to end.
    let _ = tracing::subscriber::set_global_default(registry().with(log.with_filter(targets(level))));
}

/// Our own events from `level` on; those of others from `INFO` on at most. Below that the runtime, the HTTP client and the AWS SDK
/// write whole events, requests and answers: names, tokens and what providers sent.
fn targets(level: LevelFilter) -> Targets {
    Targets::new().with_target(OURS, level).with_default(level.min(LevelFilter::INFO))
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn others_do_not_tell_what_they_carry() {
        let logged = |level: LevelFilter, target: &str, of: Level| targets(level).would_enable(target, &of);
        for level in [LevelFilter::TRACE, LevelFilter::DEBUG, LevelFilter::INFO] {
            for target in ["lambda_runtime::requests", "hyper::proto::h1", "aws_smithy_runtime", "tokio_postgres"] {
                assert!(!logged(level, target, Level::DEBUG) && logged(level, target, Level::INFO), "{level} {target}");
            }
        }
        assert!(logged(LevelFilter::TRACE, "boxoffice_shared::platform::db::run", Level::TRACE));
        assert!(!logged(LevelFilter::INFO, "boxoffice_functions::http", Level::DEBUG));
        assert!(!logged(LevelFilter::ERROR, "lambda_runtime", Level::INFO));
    }
}
