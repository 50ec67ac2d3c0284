//! Classifies failed statements by whether to retry them.
//!
//! The classification follows the SQLSTATE's class, its first two characters (appendix A of the Postgres manual), and
//! the severity. An `ERROR` rolls its transaction back, even at `COMMIT`: nothing was done. A `FATAL` or `PANIC` ends
//! the session, and may come between the commit and its answer.
//!
//! | class | meaning | fault |
//! |---|---|---|
//! | 08 | the connection; poolers use it for all their errors | [`Lost`](Fault::Lost) |
//! | 40, 72 | the server rolled back in favour of another transaction; a snapshot is too old | [`Collision`](Fault::Collision) |
//! | 40003 | it is unknown whether the statement completed | [`Lost`](Fault::Lost) |
//! | 08001, 08004 | a pooler had no connection for it | [`Unfit`](Fault::Unfit) |
//! | 55P03; 57014 | lock timeout; statement timeout | [`Locked`](Fault::Locked); [`TooSlow`](Fault::TooSlow) |
//! | BXBSY | our own: too many bookings of one holder are in progress | [`HolderBusy`](Fault::HolderBusy) |
//! | 0A | "cached plan must not change result type": a migration | [`Unfit`](Fault::Unfit) |
//! | 25, 26, 34, 42P05 | a session in an unexpected state: read-only after a failover, another client's behind a pooler, prepared statements that a pooler forgot | [`Unfit`](Fault::Unfit) |
//! | 28 | the login; behind a pooler it may fail late | [`Unfit`](Fault::Unfit) |
//! | 53, 55, 57, 58, F0, XX | the server: resources, its state, an operator, the system, its configuration, an internal error such as a missing library or file | [`Unfit`](Fault::Unfit) |
//! | 08001, 08004, 57P03, 57P05, 25P03, 25P04 as `FATAL` | the session never began, was idle, or its transaction timed out | [`Unfit`](Fault::Unfit) |
//! | any other as `FATAL` or `PANIC` | the session ended at an unknown point | [`Lost`](Fault::Lost) |
//! | 23505 of a booking | another request or attempt was first | [`Duplicate`](Fault::Duplicate) |
//! | all others: 22, 23, 42, P0 ... | the statement, its values or a violated constraint: a defect | [`Defect`](Fault::Defect) |
//! | any, while connecting | there is no session | [`NotConnected`](Fault::NotConnected) |
//!
//! Other libraries retry less: Npgsql calls 53, 55006, 55P03, 57P01 to 57P05, 58000, 58030 and 40 transient; SQLAlchemy
//! and pgjdbc drop a connection for 08 and 57P. A server whose library was replaced while it runs answers 58P01 or
//! XX000 in every older session and in no new one, so an unfit session is also closed.

use std::time::Duration;

use deadpool_postgres::PoolError;
use tokio::time::Instant;
use tokio_postgres::error::{DbError, SqlState};

use super::redacted::{ends_session, redacted};
use crate::platform::Cause;

/// A failed attempt at a statement.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The server rolled the transaction back because of another one: a deadlock or a serialization failure. An
    /// immediate retry is likely to succeed.
    Collision(Cause),
    /// The booking's id or key is taken, by another request with this key or by our own insert that seemed lost. The
    /// transaction did nothing.
    Duplicate(Cause),
    /// The lock timeout of the statement, or else of the role, passed.
    Locked(Cause),
    /// The role's statement timeout passed.
    TooSlow(Cause),
    /// Too many bookings of one holder were in progress. The transaction did nothing.
    HolderBusy,
    /// There was no connection, so nothing was sent.
    NotConnected(Cause),
    /// The session or the server could not run the statement, through no fault of the statement. Nothing was done;
    /// another session may succeed.
    Unfit(Cause),
    /// The connection was lost, or silent for too long, after the statement was sent: the statement may have been
    /// committed.
    Lost(Cause),
    /// The server refused the statement, or the statement returned unexpected rows: a defect.
    Defect(Cause),
}

impl Fault {
    /// The fault of getting a connection from the pool. Whatever the server answered, even "wrong password", it counts
    /// as unreachable: 503, not 500.
    pub(super) fn from_pool(error: PoolError) -> Self {
        Self::NotConnected(Self::cause_of_pool(error))
    }

    /// The cause of a failure to get a connection.
    pub(super) fn cause_of_pool(error: PoolError) -> Cause {
        match error {
            PoolError::Backend(error) => redacted(error),
            error => error.into(),
        }
    }

    /// The fault of a statement that was sent.
    pub(super) fn from_statement(error: tokio_postgres::Error) -> Self {
        let kind = error.as_db_error().map_or(Kind::Lost, Kind::of);
        let cause = redacted(error);
        match kind {
            Kind::Collision => Self::Collision(cause),
            Kind::Duplicate => Self::Duplicate(cause),
            Kind::Locked => Self::Locked(cause),
            Kind::TooSlow => Self::TooSlow(cause),
            Kind::HolderBusy => Self::HolderBusy,
            Kind::Unfit => Self::Unfit(cause),
            Kind::Lost => Self::Lost(cause),
            Kind::Refused => Self::Defect(cause),
        }
    }

    /// Whether the connection must be closed.
    pub(super) fn spoils_connection(&self) -> bool {
        match self {
            Self::Lost(_) | Self::Unfit(_) => true,
            Self::Collision(_)
            | Self::Duplicate(_)
            | Self::Locked(_)
            | Self::TooSlow(_)
            | Self::HolderBusy
            | Self::NotConnected(_)
            | Self::Defect(_) => false,
        }
    }
}

/// The kind of a server error, by the table above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Collision,
    Duplicate,
    Locked,
    TooSlow,
    HolderBusy,
    Unfit,
    Lost,
    Refused,
}

impl Kind {
    fn of(error: &DbError) -> Self {
        // The constraint's name identifies the error; the message is for people.
        match error.constraint() {
            // Pools were added while the statement waited for the locks of all pools: one was not locked, and ran dry.
            Some("seat_pools_free_not_negative") => return Self::Collision,
            Some("bookings_idempotency_key" | "bookings_pkey") if *error.code() == SqlState::UNIQUE_VIOLATION => {
                return Self::Duplicate;
            }
            _ => {}
        }
        if ends_session(error) { Self::of_fatal(error.code().code()) } else { Self::of_error(error.code().code()) }
    }

    /// The kind of an error that ended the session.
    fn of_fatal(code: &str) -> Self {
        match code {
            "08001" | "08004" | "57P03" | "57P05" | "25P03" | "25P04" => Self::Unfit,
            _ => Self::Lost,
        }
    }

    /// The kind of an error that rolled the transaction back.
    fn of_error(code: &str) -> Self {
        match code {
            // Only these two leave open whether it was rolled back.
            "08007" | "40003" => return Self::Lost,
            "55P03" => return Self::Locked,
            "57014" => return Self::TooSlow,
            // Raised by admit_or_fail, in the migrations.
            "BXBSY" => return Self::HolderBusy,
            "08001" | "08004" | "42P05" => return Self::Unfit,
            _ => {}
        }
        match code.get(..2).unwrap_or_default() {
            "08" => Self::Lost,
            "40" | "72" => Self::Collision,
            "0A" | "25" | "26" | "28" | "34" | "53" | "55" | "57" | "58" | "F0" | "XX" => Self::Unfit,
            // 22 and 23: values and the constraints that they violate. 42 and the like: the statement. P0: raised by a
            // function of ours. Classes that no server uses today count as defects too.
            _ => Self::Refused,
        }
    }
}

/// The server was silent for a whole attempt, of this length.
#[derive(Debug, thiserror::Error)]
#[error("the database did not answer within {:.1} s", .0.as_secs_f64())]
pub(super) struct Silent(Duration);

impl Silent {
    /// The cause of a fault.
    pub(super) fn since(begun: Instant) -> Cause {
        Self(begun.elapsed()).into()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Every SQLSTATE of Postgres 17 and of `tokio_postgres`, by the kind of its `ERROR`. A state that is in neither
    /// list belongs to the table's last row.
    const STATES: &str = include_str!("fault/states.txt");

    fn states() -> Vec<(&'static str, &'static str)> {
        let mut kind = "";
        let mut states = Vec::new();
        for line in STATES.lines().filter(|line| !line.starts_with('#')) {
            match line.strip_suffix(':') {
                Some(name) => kind = name,
                None => states.extend(line.split_whitespace().map(|state| (state, kind))),
            }
        }
        states
    }

    #[test]
    fn every_state_has_the_kind_of_the_list() {
        let states = states();
        assert!(states.len() > 250, "{}", states.len());
        for (state, expected) in &states {
            assert_eq!(format!("{:?}", Kind::of_error(state)), *expected, "{state}");
        }
        let mut names: Vec<_> = states.iter().map(|(state, _)| *state).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), states.len(), "a state is listed twice");
    }

    /// Checks that the list contains each state that the crate has a name for.
    #[test]
    fn the_list_of_states_is_complete() {
        let known: Vec<_> = states().into_iter().map(|(state, _)| state).collect();
        let alphabet: Vec<char> = ('0'..='9').chain('A'..='Z').collect();
        let classes: BTreeSet<_> = known.iter().map(|state| &state[..2]).collect();
        let mut missing = Vec::new();
        for class in classes {
            // In each class, standard states begin with 0 and those of Postgres with P.
            for (a, b, c) in ['0', 'P']
                .iter()
                .flat_map(|a| alphabet.iter().map(move |b| (a, b)))
                .flat_map(|(a, b)| alphabet.iter().map(move |c| (a, b, c)))
            {
                let state = format!("{class}{a}{b}{c}");
                // A state without a name shows as `Other`.
                let named = !format!("{:?}", SqlState::from_code(&state)).contains("Other");
                if named && !known.contains(&state.as_str()) {
                    missing.push(state);
                }
            }
        }
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn a_lost_session_leaves_the_outcome_open_unless_its_state_is_conclusive() {
        for (state, _) in states() {
            let certain = ["08001", "08004", "57P03", "57P05", "25P03", "25P04"].contains(&state);
            let expected = if certain { Kind::Unfit } else { Kind::Lost };
            assert_eq!(Kind::of_fatal(state), expected, "{state}");
        }
    }

    #[test]
    fn an_unknown_state_is_a_defect() {
        for odd in ["", "5", "ZZ000", "\u{e4}\u{e4}000", "57"] {
            assert!(matches!(Kind::of_error(odd), Kind::Refused | Kind::Unfit), "{odd:?}");
        }
        assert_eq!(Kind::of_error("ZZ000"), Kind::Refused);
    }
}
