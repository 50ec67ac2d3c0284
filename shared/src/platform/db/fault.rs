//! What went wrong with a statement, as far as running it again is concerned.
//!
//! It is decided by the class of the SQLSTATE, its first two characters (appendix A of Postgres' manual), and by the severity. An
//! `ERROR` has undone its transaction, whenever it comes, also at `COMMIT`: nothing was done. A `FATAL` or `PANIC` ends the session,
//! and may come after the commit and before its answer.
//!
//! | class | means | fault |
//! |---|---|---|
//! | 08 | the connection; poolers say all of theirs by it | [`Lost`](Fault::Lost) |
//! | 40, 72 | the server undid the transaction for another one's sake; a snapshot is too old | [`Collision`](Fault::Collision) |
//! | 40003 | it is not known whether the statement was completed | [`Lost`](Fault::Lost) |
//! | 08001, 08004 | a pooler had no connection for it | [`Unfit`](Fault::Unfit) |
//! | 55P03; 57014 | a timeout of a lock; of a statement | [`Locked`](Fault::Locked); [`TooSlow`](Fault::TooSlow) |
//! | BXBSY | our own: too many bookings of one holder are in progress | [`HolderBusy`](Fault::HolderBusy) |
//! | 0A | "cached plan must not change result type": a migration | [`Unfit`](Fault::Unfit) |
//! | 25, 26, 34, 42P05 | a session in a state that is not ours: read-only after a failover, another's behind a pooler, statements forgotten by one | [`Unfit`](Fault::Unfit) |
//! | 28 | the login; behind a pooler it may come late | [`Unfit`](Fault::Unfit) |
//! | 53, 55, 57, 58, F0, XX | the server: resources, its state, an operator, the system, its configuration, an error of its own such as a library or a file that is gone | [`Unfit`](Fault::Unfit) |
//! | 08001, 08004, 57P03, 57P05, 25P03, 25P04 as `FATAL` | the session never began, was idle, or its transaction timed out | [`Unfit`](Fault::Unfit) |
//! | any other as `FATAL` or `PANIC` | the session ended at some time | [`Lost`](Fault::Lost) |
//! | 23505 of a booking | another request or attempt was first | [`Duplicate`](Fault::Duplicate) |
//! | all others: 22, 23, 42, P0 ... | the statement, its values or what they break: a defect | [`Defect`](Fault::Defect) |
//! | any at all, to connect | there is no session | [`NotConnected`](Fault::NotConnected) |
//!
//! What others do is narrower: Npgsql calls 53, 55006, 55P03, 57P01 to 57P05, 58000, 58030 and 40 transient, SQLAlchemy and pgjdbc give up a connection
//! for 08 and 57P. A server whose library was replaced under it answers 58P01 or XX000 in each session that is older, and none in a
//! new one: so what is unfit is also thrown away.

use std::time::Duration;

use deadpool_postgres::PoolError;
use tokio::time::Instant;
use tokio_postgres::error::{DbError, SqlState};

use super::told::{ends_session, told};
use crate::platform::Cause;

/// A failed attempt at a statement.
#[derive(Debug)]
pub(crate) enum Fault {
    /// Another transaction was in the way and the server undid ours: a deadlock or a serialization failure. At once
    /// again, it is likely to pass.
    Collision(Cause),
    /// The booking's id or key is taken: by another request with this key, or by our own insert that was thought lost.
    /// The transaction did nothing.
    Duplicate(Cause),
    /// A lock was not had in the time that the statement, or else the role, allows.
    Locked(Cause),
    /// The statement took longer than the role allows.
    TooSlow(Cause),
    /// Too many bookings of one holder were in progress. The transaction did nothing.
    HolderBusy,
    /// There was no connection, so nothing was sent.
    NotConnected(Cause),
    /// The session or the server could not run the statement, which is not its fault. Nothing was done; another session may
    /// be able to.
    Unfit(Cause),
    /// The connection was lost, or silent for too long, with the statement on its way: it may have been committed.
    Lost(Cause),
    /// The server refused the statement, or its rows are not as it promises: a defect.
    Defect(Cause),
}

impl Fault {
    /// A failure to get a connection out of the pool. Whatever the server said to it, a wrong password too, it is as good as
    /// away: 503, not 500.
    pub(super) fn from_pool(error: PoolError) -> Self {
        Self::NotConnected(Self::cause_of_pool(error))
    }

    /// Why there was no connection.
    pub(super) fn cause_of_pool(error: PoolError) -> Cause {
        match error {
            PoolError::Backend(error) => told(error),
            error => error.into(),
        }
    }

    /// A failure of a statement that was sent.
    pub(super) fn from_statement(error: tokio_postgres::Error) -> Self {
        let kind = error.as_db_error().map_or(Kind::Lost, Kind::of);
        let cause = told(error);
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

    /// Whether its connection is of no use any more.
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

/// What an error of the server's is, by the table above.
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
        // The constraint that was violated says whose it is; its message is for people.
        match error.constraint() {
            // Pools were added while we waited for the lock of all: one of them was not locked, and ran dry.
            Some("seat_pools_free_not_negative") => return Self::Collision,
            Some("bookings_idempotency_key" | "bookings_pkey") if *error.code() == SqlState::UNIQUE_VIOLATION => {
                return Self::Duplicate;
            }
            _ => {}
        }
        if ends_session(error) { Self::of_fatal(error.code().code()) } else { Self::of_error(error.code().code()) }
    }

    /// What ended the session.
    fn of_fatal(code: &str) -> Self {
        match code {
            "08001" | "08004" | "57P03" | "57P05" | "25P03" | "25P04" => Self::Unfit,
            _ => Self::Lost,
        }
    }

    /// What undid the transaction.
    fn of_error(code: &str) -> Self {
        match code {
            // Only these two say that they may not have.
            "08007" | "40003" => return Self::Lost,
            "55P03" => return Self::Locked,
            "57014" => return Self::TooSlow,
            // Of admit_or_fail, in the migrations.
            "BXBSY" => return Self::HolderBusy,
            "08001" | "08004" | "42P05" => return Self::Unfit,
            _ => {}
        }
        match code.get(..2).unwrap_or_default() {
            "08" => Self::Lost,
            "40" | "72" => Self::Collision,
            "0A" | "25" | "26" | "28" | "34" | "53" | "55" | "57" | "58" | "F0" | "XX" => Self::Unfit,
            // 22 and 23: values, and what they break. 42 and the like: the statement. P0: what a function of ours raised. A class
            // that no server of today knows is no better known here.
            _ => Self::Refused,
        }
    }
}

/// The server said nothing for the whole of an attempt, which took so long.
#[derive(Debug, thiserror::Error)]
#[error("the database did not answer within {:.1} s", .0.as_secs_f64())]
pub(super) struct Silent(Duration);

impl Silent {
    /// As the cause of a fault.
    pub(super) fn since(begun: Instant) -> Cause {
        Self(begun.elapsed()).into()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Every SQLSTATE of Postgres 17 and of `tokio_postgres`, by what an `ERROR` of it is. A state that is in neither list is in
    /// the table's last row.
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
    fn every_state_is_of_a_known_kind() {
        let states = states();
        assert!(states.len() > 250, "{}", states.len());
        for (state, expected) in &states {
            assert_eq!(format!("{:?}", Kind::of_error(state)), *expected, "{state}");
        }
        let mut names: Vec<_> = states.iter().map(|(state, _)| *state).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), states.len(), "each state is there once");
    }

    /// The list is whole: each state that the crate knows by name is in it.
    #[test]
    fn the_list_has_every_state_of_the_servers_manual() {
        let known: Vec<_> = states().into_iter().map(|(state, _)| state).collect();
        let alphabet: Vec<char> = ('0'..='9').chain('A'..='Z').collect();
        let classes: BTreeSet<_> = known.iter().map(|state| &state[..2]).collect();
        let mut missing = Vec::new();
        for class in classes {
            // In each class, those of the standard begin with 0 and those of Postgres with P.
            for (a, b, c) in ['0', 'P']
                .iter()
                .flat_map(|a| alphabet.iter().map(move |b| (a, b)))
                .flat_map(|(a, b)| alphabet.iter().map(move |c| (a, b, c)))
            {
                let state = format!("{class}{a}{b}{c}");
                // One without a name keeps its text.
                let named = !format!("{:?}", SqlState::from_code(&state)).contains("Other");
                if named && !known.contains(&state.as_str()) {
                    missing.push(state);
                }
            }
        }
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn a_session_that_ended_leaves_the_outcome_open_unless_its_state_says_otherwise() {
        for (state, _) in states() {
            let certain = ["08001", "08004", "57P03", "57P05", "25P03", "25P04"].contains(&state);
            let expected = if certain { Kind::Unfit } else { Kind::Lost };
            assert_eq!(Kind::of_fatal(state), expected, "{state}");
        }
    }

    #[test]
    fn what_is_no_state_is_a_defect() {
        for odd in ["", "5", "ZZ000", "\u{e4}\u{e4}000", "57"] {
            assert!(matches!(Kind::of_error(odd), Kind::Refused | Kind::Unfit), "{odd:?}");
        }
        assert_eq!(Kind::of_error("ZZ000"), Kind::Refused);
    }
}
