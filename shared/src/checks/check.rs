//! Look for what must never be.

use std::fmt;

use tokio_postgres::{Row, types::Type};
use uuid::Uuid;

use crate::{
    Error,
    platform::db::{Db, Repeat, Statement, row},
    shows::ShowId,
};

static CHECK_SEATS: Statement =
    Statement { sql: include_str!("seats.sql"), types: &[Type::INT8, Type::INT8, Type::INT8] };

static CHECK_HOLDERS: Statement =
    Statement { sql: include_str!("holders.sql"), types: &[Type::INT8, Type::TEXT, Type::INT8] };

static CHECK_REFUNDS: Statement =
    Statement { sql: include_str!("refunds.sql"), types: &[Type::INT8, Type::UUID, Type::INT8] };

static CHECK_PAYMENTS: Statement = Statement { sql: include_str!("payments.sql"), types: &[Type::INT8, Type::INT8] };

static CHECK_EVENTS: Statement = Statement { sql: include_str!("events.sql"), types: &[Type::INT8, Type::INT8] };

/// Shows of one statement.
const SHOWS: i64 = 100;

/// Seats of a statement's shows, all but the last: with a million of the last one, two million bookings at most that are
/// sold. They take 0.3 to 1 s; a statement may take 4.
const SEATS: i64 = 1_000_000;

/// Bookings of one statement. 2,000, each with a look at its payments, take less than 0.1 s.
const ROWS: i64 = 2_000;

/// Pages of payments or events of one statement, half a megabyte: some 2,500 payments, each with a look at its booking, or 250 to
/// 3,000 events, by how much of them is payload. They take less than 0.1 s.
const PAGES: i64 = 64;

/// Holders of one statement, each with all its bookings of the show.
const HOLDERS: i64 = 200;

/// Violations that are listed at most. Whoever has so many needs no longer list.
const MAX_VIOLATIONS: usize = 1_000;

/// A rule that rows broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Free and held seats of a show add up to its total.
    Seats,
    /// A holder that is counted has what its count says. Broken, its limits are not those that it is told.
    HolderCount,
    /// The booking of a confirmed payment is confirmed. Broken, somebody paid for nothing.
    PaidIsConfirmed,
    /// A confirmed payment has its booking's amount.
    PaidIsItsAmount,
    /// A booking has one confirmed payment at most.
    PaidOnce,
    /// A payment that succeeded is confirmed, due to be refunded, refunded, or unclaimed.
    SuccessIsDecided,
    /// A booking that failed as refunded has a payment that was refunded.
    RefundedHasRefund,
}

impl Rule {
    fn from_column(text: &str) -> Option<Self> {
        match text {
            "seats" => Some(Self::Seats),
            "holder_count" => Some(Self::HolderCount),
            "paid_not_confirmed" => Some(Self::PaidIsConfirmed),
            "paid_wrong_amount" => Some(Self::PaidIsItsAmount),
            "paid_twice" => Some(Self::PaidOnce),
            "success_not_decided" => Some(Self::SuccessIsDecided),
            "refunded_without_refund" => Some(Self::RefundedHasRefund),
            _ => None,
        }
    }
}

/// Something that must not be. `Display` is a sentence with the ids of the rows; it has no personal data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The rule that is broken.
    pub rule: Rule,
    detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

/// How far a look at the rows has come.
#[derive(Clone, PartialEq, Eq)]
pub struct CheckCursor(At);

impl fmt::Debug for CheckCursor {
    /// Not where it is: it may be at a holder.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CheckCursor")
    }
}

/// The last row that was looked at: of the shows, then of the holders, and of the bookings that were refunded. Then the next page
/// of the payments, and of their events. Each part is a walk through the whole of its table, so that no row is left out: not those
/// either that name no show, or one that does not exist.
#[derive(Clone, PartialEq, Eq)]
enum At {
    Seats(i64),
    Holders(i64, String),
    Refunds(i64, Uuid),
    Payments(i64),
    Events(i64),
}

impl CheckCursor {
    /// Before the first of all rows.
    pub const START: Self = Self(At::Seats(0));

    /// After this show: what comes next are the seats of the shows after it.
    pub fn after_show(show: ShowId) -> Self {
        Self(At::Seats(show.get()))
    }

    /// At the part after this one, for whoever cannot get on with this one: `None` if it is the last.
    pub fn next_part(&self) -> Option<Self> {
        match self.0 {
            At::Seats(_) => Some(Self(At::Holders(0, String::new()))),
            At::Holders(..) => Some(Self(At::Refunds(0, Uuid::nil()))),
            At::Refunds(..) => Some(Self(At::Payments(0))),
            At::Payments(_) => Some(Self(At::Events(0))),
            At::Events(_) => None,
        }
    }
}

/// Everything that is wrong, 1,000 at most; nothing when all is well. It may run while others book and pay.
///
/// Locks nothing. One round trip for every 100 shows, or million seats, for every 200 holders, for every 2,000 refunded bookings, and for every half
/// megabyte of payments and events.
///
/// # Errors
/// Only those that every operation has.
pub async fn check(db: &Db) -> Result<Vec<Violation>, Error> {
    let (mut all, mut at) = (Vec::new(), Some(CheckCursor::START));
    while let Some(cursor) = at.filter(|_| all.len() < MAX_VIOLATIONS) {
        let (found, next) = check_some(db, &cursor).await?;
        all.extend(found);
        at = next;
    }
    all.truncate(MAX_VIOLATIONS);
    Ok(all)
}

/// What is wrong in the rows that come after this place, 100 at most, and how far that was: `None` if that was all. So a
/// schedule looks at all of them in time, a little in each run.
///
/// Locks nothing. One round trip.
///
/// # Errors
/// Only those that every operation has.
pub async fn check_some(db: &Db, after: &CheckCursor) -> Result<(Vec<Violation>, Option<CheckCursor>), Error> {
    let rows = match &after.0 {
        At::Seats(show) => db.run(&CHECK_SEATS, &[show, &SHOWS, &SEATS], Repeat::Safe).await?,
        At::Holders(show, holder) => db.run(&CHECK_HOLDERS, &[show, holder, &HOLDERS], Repeat::Safe).await?,
        At::Refunds(show, id) => db.run(&CHECK_REFUNDS, &[show, id, &ROWS], Repeat::Safe).await?,
        At::Payments(page) => db.run(&CHECK_PAYMENTS, &[page, &PAGES], Repeat::Safe).await?,
        At::Events(page) => db.run(&CHECK_EVENTS, &[page, &PAGES], Repeat::Safe).await?,
    };
    let found = rows.iter().filter_map(|row| violation(row).transpose()).collect::<Result<_, _>>()?;
    let first = rows.first().ok_or_else(|| Error::Internal("a look gave no row".into()))?;
    Ok((found, last(first, &after.0)?.map(CheckCursor).or_else(|| after.next_part())))
}

fn violation(row: &Row) -> Result<Option<Violation>, Error> {
    let (rule, detail) = (row::get::<Option<&str>>(row, "rule")?, row::get::<Option<String>>(row, "detail")?);
    let Some((rule, detail)) = rule.zip(detail) else { return Ok(None) };
    let rule = Rule::from_column(rule).ok_or_else(|| Error::Internal(format!("the rule {rule}").into()))?;
    Ok(Some(Violation { rule, detail }))
}

/// The last row of a slice, or the page after it; `None` if there are no more.
fn last(row: &Row, of: &At) -> Result<Option<At>, Error> {
    Ok(match of {
        At::Seats(_) => row::get::<Option<i64>>(row, "show_id")?.map(At::Seats),
        At::Holders(..) => {
            let key = row::get::<Option<i64>>(row, "show_id")?.zip(row::get(row, "holder")?);
            key.map(|(show, holder)| At::Holders(show, holder))
        }
        At::Refunds(..) => {
            let key = row::get::<Option<i64>>(row, "show_id")?.zip(row::get(row, "id")?);
            key.map(|(show, id)| At::Refunds(show, id))
        }
        At::Payments(_) => row::get::<Option<i64>>(row, "page")?.map(At::Payments),
        At::Events(_) => row::get::<Option<i64>>(row, "page")?.map(At::Events),
    })
}
