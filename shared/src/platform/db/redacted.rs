//! The server's error messages, without the values that they quote.

use std::fmt;

use tokio_postgres::error::{DbError, Severity};

use crate::platform::Cause;

/// An error from the server, for the log. It omits two fields. In the detail the server quotes the row that violates a
/// constraint, with the buyer's name or the key that is taken. The context contains a statement's parameters if the
/// server is set to log them.
struct Redacted(DbError);

/// Converts an error to a cause that is safe to log.
pub(super) fn redacted(error: tokio_postgres::Error) -> Cause {
    match error.as_db_error() {
        Some(error) => Redacted(error.clone()).into(),
        // A connection error, which contains nothing of a request.
        None => error.into(),
    }
}

/// Whether the error ended the session.
pub(super) fn ends_session(error: &DbError) -> bool {
    match error.parsed_severity() {
        Some(severity) => matches!(severity, Severity::Fatal | Severity::Panic),
        // A pooler may omit the severity field that is never translated.
        None => matches!(error.severity(), "FATAL" | "PANIC"),
    }
}

/// Whether the cause is an error of one statement, from a server that is up and keeps the session.
pub(crate) fn is_of_statement(cause: &Cause) -> bool {
    cause.downcast_ref::<Redacted>().is_some_and(|error| !ends_session(&error.0))
}

impl fmt::Display for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.0.severity(), self.0.code().code(), self.0.message())?;
        self.0.constraint().map_or(Ok(()), |constraint| write!(f, " ({constraint})"))
    }
}

impl fmt::Debug for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Redacted {}
