//! What went wrong with a statement, as far as running it again is concerned.

use std::fmt;

use deadpool_postgres::PoolError;
use tokio_postgres::error::SqlState;

use super::told::told;
use crate::error::{Cause, Error};

/// A failed attempt at a statement.
#[derive(Debug)]
pub(super) enum Fault {
    /// Another transaction was in the way and the server undid ours: a deadlock or a serialization failure. At once
    /// again, it is likely to pass.
    Collision(Cause),
    /// The booking's id or key is taken: by another request with this key, or by our own insert that was thought lost.
    /// The transaction did nothing.
    Duplicate(Cause),
    /// A lock or the statement took longer than the role's timeouts allow.
    TooSlow(Cause),
    /// There was no connection, so nothing was sent.
    NotConnected(Cause),
    /// The connection's prepared statement is gone or out of date, after a migration or behind another pooler. Nothing
    /// was done.
    Stale(Cause),
    /// The connection was lost, or silent for too long, with the statement on its way: it may have been committed.
    Lost(Cause),
    /// The server refused the statement: a defect.
    Refused(Cause),
}

impl Fault {
    /// A failure to get a connection out of the pool.
    pub(super) fn from_pool(error: PoolError) -> Self {
        match error {
            // A statement that went wrong while connecting: a wrong password, a server that is starting up.
            PoolError::Backend(error) => match error.code() {
                // Class 28: the password was changed, or is not yet. The database is as good as away: 503, not 500.
                Some(code) if !unreachable(code) && !code.code().starts_with("28") => Self::Refused(told(error)),
                _ => Self::NotConnected(told(error)),
            },
            error => Self::NotConnected(error.into()),
        }
    }

    /// A failure of a statement that was sent.
    pub(super) fn from_statement(error: tokio_postgres::Error) -> Self {
        let Some(code) = error.code() else {
            return Self::Lost(told(error));
        };
        if [SqlState::T_R_DEADLOCK_DETECTED, SqlState::T_R_SERIALIZATION_FAILURE].contains(code)
            // Pools were added while we waited for the lock of all: one of them was not locked, and ran dry.
            || constraint(&error) == Some("seat_pools_free_not_negative")
        {
            Self::Collision(told(error))
        } else if *code == SqlState::UNIQUE_VIOLATION && is_of_booking(&error) {
            Self::Duplicate(told(error))
        } else if *code == SqlState::LOCK_NOT_AVAILABLE || *code == SqlState::QUERY_CANCELED {
            Self::TooSlow(told(error))
        } else if *code == SqlState::FEATURE_NOT_SUPPORTED || *code == SqlState::INVALID_SQL_STATEMENT_NAME {
            // "cached plan must not change result type"; "prepared statement does not exist".
            Self::Stale(told(error))
        } else if unreachable(code) {
            Self::Lost(told(error))
        } else {
            Self::Refused(told(error))
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Collision(cause) | Fault::Duplicate(cause) | Fault::TooSlow(cause) => Self::Busy(cause),
            Fault::NotConnected(cause) | Fault::Lost(cause) => Self::Unavailable(cause),
            Fault::Stale(cause) | Fault::Refused(cause) => Self::Internal(cause),
        }
    }
}

/// The constraint that was violated says whose key it is; its message is for people.
fn is_of_booking(error: &tokio_postgres::Error) -> bool {
    matches!(constraint(error), Some("bookings_idempotency_key" | "bookings_pkey"))
}

fn constraint(error: &tokio_postgres::Error) -> Option<&str> {
    error.as_db_error()?.constraint()
}

/// The server ended the connection or takes none: a restart, a failover, too many connections.
fn unreachable(code: &SqlState) -> bool {
    // Class 08: connection exceptions.
    code.code().starts_with("08")
        || [
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::TOO_MANY_CONNECTIONS,
            SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
            // A writer that became a reader in a failover.
            SqlState::READ_ONLY_SQL_TRANSACTION,
        ]
        .contains(code)
}

/// The server said nothing for the whole of an attempt.
#[derive(Debug)]
pub(super) struct Silent;

impl fmt::Display for Silent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the database did not answer within {:?}", super::run::ATTEMPT)
    }
}

impl std::error::Error for Silent {}
