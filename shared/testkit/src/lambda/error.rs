//! Why an invocation has no response.

use std::process::ExitStatus;
use std::time::Duration;

use serde_json::Value;

/// Why an invocation has no response.
#[derive(Clone, Debug)]
pub enum InvokeError {
    /// The function answered with an error: its payload, such as `{"errorType": .., "errorMessage": ..}`.
    Function(Value),
    /// The process ended before it answered.
    Exited {
        /// How it ended.
        status: ExitStatus,
        /// What it wrote to standard error, the last MiB of it.
        stderr: String,
        /// What it said to `/runtime/init/error`, if it did.
        init_error: Option<Value>,
    },
    /// No answer within this time. The process runs on: kill it if that is what Lambda would do.
    Timeout(Duration),
}

impl std::fmt::Display for InvokeError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Function(payload) => write!(out, "the function answered with an error: {payload}"),
            Self::Exited { status, stderr, init_error } => {
                write!(out, "the process ended ({status}); init error: {init_error:?}; standard error:\n{stderr}")
            }
            Self::Timeout(bound) => write!(out, "no answer within {bound:?}"),
        }
    }
}

impl std::error::Error for InvokeError {}
