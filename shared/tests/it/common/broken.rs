//! The operations' own statements with a part taken out, to show that the part is needed and that the tests see when it
//! is missing.

/// The statement without the one place where `part` stands.
#[track_caller]
pub fn without(statement: &str, part: &str) -> String {
    altered(statement, part, "")
}

/// The statement with the one place where `part` stands replaced.
#[track_caller]
pub fn altered(statement: &str, part: &str, by: &str) -> String {
    assert_eq!(statement.matches(part).count(), 1, "{part:?} should stand exactly once in:\n{statement}");
    statement.replace(part, by)
}

/// `cancel`, as the operation puts it together.
pub const CANCEL: &str = concat!(
    include_str!("../../../src/bookings/cancel.sql"),
    include_str!("../../../src/inventory/release.sql"),
    include_str!("../../../src/bookings/cancel_answer.sql"),
    include_str!("../../../src/bookings/answer.sql")
);

/// `expire`, as the operation puts it together.
pub const EXPIRE: &str = concat!(
    include_str!("../../../src/bookings/expire.sql"),
    include_str!("../../../src/inventory/release.sql"),
    include_str!("../../../src/bookings/expire_answer.sql")
);

/// `sweep`, as the operation puts it together.
pub const SWEEP: &str = concat!(
    include_str!("../../../src/bookings/sweep.sql"),
    include_str!("../../../src/inventory/release.sql"),
    include_str!("../../../src/bookings/sweep_answer.sql")
);

/// `confirm`.
pub const CONFIRM: &str =
    concat!(include_str!("../../../src/bookings/confirm.sql"), include_str!("../../../src/bookings/answer.sql"));

/// `book`, from any one pool.
pub const BOOK: &str = include_str!("../../../src/bookings/book/any_pool.sql");

/// `book`, from several pools, without its lock of all of them.
pub const BOOK_ACROSS: &str = include_str!("../../../src/bookings/book/all_pools.sql");
