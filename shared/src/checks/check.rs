//! Check the invariants.

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

/// Shows read by one statement.
const SHOWS: i64 = 100;

/// Seats of one statement's shows, not counting the last show. With a million more in the last show, that is at most
/// two million sold bookings, which take 0.3 to 1 s; a statement may take 4 s.
const SEATS: i64 = 1_000_000;

/// Bookings read by one statement. 2,000, each with a lookup of its payments, take less than 0.1 s.
const ROWS: i64 = 2_000;

/// Table pages of payments or events read by one statement: half a megabyte. That is about 2,500 payments, each with a
/// lookup of its booking, or 250 to 3,000 events, depending on the size of their payloads. They take less than 0.1 s.
const PAGES: i64 = 64;

/// Holders read by one statement, each with all its bookings of the show.
const HOLDERS: i64 = 200;

/// Maximum number of violations returned. Beyond that, a longer list is of no use.
const MAX_VIOLATIONS: usize = 1_000;

/// The rules that are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Free seats plus held and sold seats of a show equal its total.
    Seats,
    /// A counted holder's count equals the seats of its bookings. If not, the wrong limits are applied to it.
    HolderCount,
    /// The booking of a confirmed payment is confirmed. If not, somebody paid for nothing.
    PaidIsConfirmed,
    /// A confirmed payment has its booking's amount and currency.
    PaidIsItsAmount,
    /// A booking has at most one confirmed payment.
    PaidOnce,
    /// A successful payment is confirmed, due for a refund, refunded, or unclaimed.
    SuccessIsDecided,
    /// A booking that failed as refunded has a refunded payment.
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

/// A broken invariant. `Display` is a sentence with the ids of the rows, without personal data.
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

/// How far a check has come.
#[derive(Clone, PartialEq, Eq)]
pub struct CheckCursor(At);

impl fmt::Debug for CheckCursor {
    /// Hides the position, because it may contain a holder.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CheckCursor")
    }
}

/// The last row that was checked. The check walks through the shows, then the holders, then the refunded bookings;
/// then, by table page, through the payments and their events. Each part reads its whole table, so that no row is
/// missed, not even one that names no show or a show that does not exist.
#[derive(Clone, PartialEq, Eq)]
enum At {
    Seats(i64),
    Holders(i64, String),
    Refunds(i64, Uuid),
    Payments(i64),
    Events(i64),
}

impl CheckCursor {
    /// The start of the check.
    pub const START: Self = Self(At::Seats(0));

    /// The position after this show. The seats of the shows after it are checked next.
    pub fn after_show(show: ShowId) -> Self {
        Self(At::Seats(show.get()))
    }

    /// The start of the next part, for a caller that cannot continue with this one. `None` if this is the last part.
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

/// Returns all violations, at most 1,000; none if all is well. It can run while others book and pay.
///
/// Locks nothing. One round trip for every 100 shows or million seats, for every 200 holders, for every 2,000 refunded
/// bookings, and for every half megabyte of payments and of events.
///
/// # Errors
/// Only the errors that every operation can return.
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

/// Checks one slice after this position. Returns at most 100 violations and the position to continue from; `None` if
/// that was the last slice. A scheduled job can thus check everything over time, a little in each run.
///
/// Locks nothing. One round trip.
///
/// # Errors
/// Only the errors that every operation can return.
pub async fn check_some(db: &Db, after: &CheckCursor) -> Result<(Vec<Violation>, Option<CheckCursor>), Error> {
    let rows = match &after.0 {
        At::Seats(show) => db.run(&CHECK_SEATS, &[show, &SHOWS, &SEATS], Repeat::Safe).await?,
        At::Holders(show, holder) => db.run(&CHECK_HOLDERS, &[show, holder, &HOLDERS], Repeat::Safe).await?,
        At::Refunds(show, id) => db.run(&CHECK_REFUNDS, &[show, id, &ROWS], Repeat::Safe).await?,
        At::Payments(page) => db.run(&CHECK_PAYMENTS, &[page, &PAGES], Repeat::Safe).await?,
        At::Events(page) => db.run(&CHECK_EVENTS, &[page, &PAGES], Repeat::Safe).await?,
    };
    let found = rows.iter().filter_map(|row| violation(row).transpose()).collect::<Result<_, _>>()?;
    let first = rows.first().ok_or_else(|| Error::Internal("a check returned no row".into()))?;
    Ok((found, last(first, &after.0)?.map(CheckCursor).or_else(|| after.next_part())))
}

fn violation(row: &Row) -> Result<Option<Violation>, Error> {
    let (rule, detail) = (row::get::<Option<&str>>(row, "rule")?, row::get::<Option<String>>(row, "detail")?);
    let Some((rule, detail)) = rule.zip(detail) else { return Ok(None) };
    let rule = Rule::from_column(rule).ok_or_else(|| Error::Internal(format!("unknown rule {rule}").into()))?;
    Ok(Some(Violation { rule, detail }))
}

/// The last row of a slice, or the table page after it; `None` if there are no more.
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
