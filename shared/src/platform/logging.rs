//! The log: lines on standard output, which Lambda stores.

use std::io;

use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt,
    prelude::*,
    registry,
};

use crate::platform::aws::environment;

/// The prefix of our own event targets: our packages' names begin with it.
const OURS: &str = "boxoffice";

/// Starts logging. `AWS_LAMBDA_LOG_LEVEL`, or else `RUST_LOG`, is the lowest level that is written (`INFO` unless set).
/// With `AWS_LAMBDA_LOG_FORMAT=JSON` each line is an object.
///
/// This does not use the Lambda runtime's own setup, whose filter language brings a regular-expression engine into
/// every binary.
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
    // A second call finds a logger already set, which is fine.
    let _ = tracing::subscriber::set_global_default(registry().with(log.with_filter(targets(level))));
}

/// Writes our own events from `level` on, and those of other crates from `INFO` on at most. Below that, the Lambda
/// runtime, the HTTP client and the AWS SDK log whole events, requests and responses: names, tokens and providers'
/// payloads.
fn targets(level: LevelFilter) -> Targets {
    Targets::new().with_target(OURS, level).with_default(level.min(LevelFilter::INFO))
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn other_crates_never_log_below_info() {
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
