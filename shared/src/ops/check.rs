//! Look for what must never be.

use std::fmt;

use tokio_postgres::types::Type;

use super::row;
use crate::{
    Error,
    db::{Db, Repeat, Statement},
    model::ShowId,
};

static CHECK: Statement = Statement { sql: include_str!("check.sql"), types: &[Type::INT8, Type::INT8] };

/// Shows of one statement. 10 shows of 100,000 bookings each take a second; a statement may take 4.
const SHOWS: i64 = 10;

/// Violations that are listed at most. Whoever has so many needs no longer list.
const MAX_VIOLATIONS: usize = 1_000;

/// A rule that rows broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Free and held seats of a show add up to its total.
    Seats,
    /// The booking of a confirmed payment is confirmed. Broken, somebody paid for nothing.
    PaidIsConfirmed,
    /// A confirmed payment has its booking's amount.
    PaidIsItsAmount,
    /// A booking has one confirmed payment at most.
    PaidOnce,
    /// A payment that succeeded is confirmed, due to be refunded, or refunded.
    SuccessIsDecided,
    /// A booking that failed as refunded has a payment that was refunded.
    RefundedHasRefund,
}

impl Rule {
    fn from_column(text: &str) -> Option<Self> {
        match text {
            "seats" => Some(Self::Seats),
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

/// Everything that is wrong, in all shows, 1,000 at most; nothing when all is well. It may run while others book and
/// pay.
///
/// Locks nothing. One round trip for every 10 shows.
///
/// # Errors
/// Only those that every operation has.
pub async fn check(db: &Db) -> Result<Vec<Violation>, Error> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let (found, last) = check_some(db, after).await?;
        all.extend(found);
        all.truncate(MAX_VIOLATIONS);
        if last.is_none() || all.len() == MAX_VIOLATIONS {
            return Ok(all);
        }
        after = last;
    }
}

/// What is wrong in the 10 shows that come after this one, 100 at most, and the last of those shows; `None` if there are
/// no more. So a schedule looks at all of them in time, a little in each run.
///
/// Locks nothing. One round trip.
///
/// # Errors
/// Only those that every operation has.
pub async fn check_some(db: &Db, after: Option<ShowId>) -> Result<(Vec<Violation>, Option<ShowId>), Error> {
    let rows = db.run(&CHECK, &[&after.map_or(0, ShowId::get), &SHOWS], Repeat::Safe).await?;
    let mut found = Vec::new();
    for row in &rows {
        let (rule, detail) = (row::get::<Option<&str>>(row, "rule")?, row::get::<Option<String>>(row, "detail")?);
        if let Some((rule, detail)) = rule.zip(detail) {
            let rule = Rule::from_column(rule).ok_or_else(|| Error::Internal(format!("the rule {rule}").into()))?;
            found.push(Violation { rule, detail });
        }
    }
    let last = rows.first().map(|row| row::get::<Option<i64>>(row, "last")).transpose()?.flatten();
    Ok((found, last.map(ShowId::from_row)))
}
