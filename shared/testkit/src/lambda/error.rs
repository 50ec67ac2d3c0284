//! Why an invocation has no response.

use std::process::ExitStatus;
use std::time::Duration;

use serde_json::Value;

/// Why an invocation has no response.
#[derive(Clone, Debug)]
pub enum InvokeError {
    /// The function returned an error: its payload, such as `{"errorType": .., "errorMessage": ..}`.
    Function(Value),
    /// The process ended before it responded.
    Exited {
        /// Its exit status.
        status: ExitStatus,
        /// The last MiB of its standard error.
        stderr: String,
        /// What it reported to `/runtime/init/error`, if anything.
        init_error: Option<Value>,
    },
    /// No response within this time. The process still runs: kill it if Lambda would.
    Timeout(Duration),
}

impl std::fmt::Display for InvokeError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Function(payload) => write!(out, "the function returned an error: {payload}"),
            Self::Exited { status, stderr, init_error } => {
                write!(out, "the process ended ({status}); init error: {init_error:?}; standard error:\n{stderr}")
            }
            Self::Timeout(bound) => write!(out, "no response within {bound:?}"),
        }
    }
}

impl std::error::Error for InvokeError {}
