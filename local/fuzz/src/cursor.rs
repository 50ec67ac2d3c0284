//! The cursors of pages.

use std::{fmt::Display, str::FromStr};

use boxoffice_shared::model::{Cursor, Invalid, PaymentCursor};

use crate::number;

/// The last microsecond of the year 9999, the last that a timestamp has, less a day for time zones.
const MAX_MICROSECONDS: u64 = 253_402_207_200_000_000 - 86_400_000_000;

/// The input: a cursor's text. Its bytes are also taken as the numbers of a cursor that must be good.
pub fn cursors(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        if reads_as_written::<Cursor>(text) {
            assert!(text.len() <= 40 && text.bytes().all(|b| b.is_ascii_digit() || b == b'.'), "{text:?}");
        }
        if reads_as_written::<PaymentCursor>(text) {
            assert!(text.len() <= 300 && text.bytes().all(|b| b.is_ascii_graphic()), "{text:?}");
        }
    }
    let microseconds = number(data) % MAX_MICROSECONDS + 1;
    let id = number(data.get(8..).unwrap_or_default()) % i64::MAX as u64 + 1;
    assert!(reads_as_written::<Cursor>(&format!("{microseconds}.{id}")), "{microseconds}.{id}");
    assert!(reads_as_written::<PaymentCursor>(&format!("{microseconds}.stripe.pi.{id}")), "{microseconds} {id}");
}

/// Whether it is one; then it has one spelling. What is told of one that is none does not grow with it.
fn reads_as_written<T: FromStr<Err = Invalid> + Display>(text: &str) -> bool {
    match text.parse::<T>() {
        Ok(value) => assert_eq!(value.to_string(), text),
        Err(invalid) => {
            assert!(invalid.to_string().len() <= 100, "{invalid}");
            return false;
        }
    }
    true
}
