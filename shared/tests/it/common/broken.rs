//! The operations' own statements, and functions that remove a part of one. They prove that the part is needed, and
//! that the tests notice when it is missing.

/// Returns the statement without `part`, which must occur exactly once.
#[track_caller]
pub fn without(statement: &str, part: &str) -> String {
    altered(statement, part, "")
}

/// Returns the statement with `part`, which must occur exactly once, replaced.
#[track_caller]
pub fn altered(statement: &str, part: &str, by: &str) -> String {
    assert_eq!(statement.matches(part).count(), 1, "{part:?} should occur exactly once in:\n{statement}");
    statement.replace(part, by)
}

/// `cancel`, assembled as in the operation.
pub const CANCEL: &str = concat!(
    include_str!("../../../src/bookings/cancel.sql"),
    include_str!("../../../src/inventory/release.sql"),
    include_str!("../../../src/bookings/cancel_answer.sql"),
    include_str!("../../../src/bookings/answer.sql")
);

/// `expire`, assembled as in the operation.
pub const EXPIRE: &str = concat!(
    include_str!("../../../src/bookings/expire.sql"),
    include_str!("../../../src/inventory/release.sql"),
    include_str!("../../../src/bookings/expire_answer.sql")
);

/// `sweep`, assembled as in the operation.
pub const SWEEP: &str = concat!(
    include_str!("../../../src/bookings/sweep.sql"),
    include_str!("../../../src/inventory/release.sql"),
    include_str!("../../../src/bookings/sweep_answer.sql")
);

/// `confirm`, assembled as in the operation.
pub const CONFIRM: &str =
    concat!(include_str!("../../../src/bookings/confirm.sql"), include_str!("../../../src/bookings/answer.sql"));

/// `book` from any single pool.
pub const BOOK: &str = include_str!("../../../src/bookings/book/any_pool.sql");

/// `book` from several pools, without the preceding lock of all pools.
pub const BOOK_ACROSS: &str = include_str!("../../../src/bookings/book/all_pools.sql");
