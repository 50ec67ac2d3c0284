//! What the server says of an error, without what it quotes.

use std::fmt;

use tokio_postgres::error::{DbError, Severity};

use crate::platform::Cause;

/// An error of the server's, for the log. Its detail is left out: there the server quotes the row that breaks a constraint, with
/// the name of whoever booked, or the key that is taken; and the context, which has a statement's parameters where the server is
/// told to log them.
struct Told(DbError);

/// The error as a cause that may be logged.
pub(super) fn told(error: tokio_postgres::Error) -> Cause {
    match error.as_db_error() {
        Some(told) => Told(told.clone()).into(),
        // Of the connection: there is nothing of a request in it.
        None => error.into(),
    }
}

/// Whether the session is over with it.
pub(super) fn ends_session(error: &DbError) -> bool {
    match error.parsed_severity() {
        Some(severity) => matches!(severity, Severity::Fatal | Severity::Panic),
        // A pooler may leave out the field that is never translated.
        None => matches!(error.severity(), "FATAL" | "PANIC"),
    }
}

/// Whether a server that is there, and goes on with the session, said it of one statement.
pub(crate) fn is_of_statement(cause: &Cause) -> bool {
    cause.downcast_ref::<Told>().is_some_and(|told| !ends_session(&told.0))
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.0.severity(), self.0.code().code(), self.0.message())?;
        self.0.constraint().map_or(Ok(()), |constraint| write!(f, " ({constraint})"))
    }
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Told {}
