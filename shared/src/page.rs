//! Keyset pages.

use std::{error::Error as _, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use tokio_postgres::Row;

use crate::{
    Error, Invalid,
    metrics::Counter,
    platform::{canonical_integer, db::row::key_part},
};

/// Items on a page, 1 to 100, 50 unless asked otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLimit(i64);

impl PageLimit {
    /// 50 items.
    pub const DEFAULT: Self = Self(50);

    /// The number of items.
    pub fn get(self) -> i64 {
        self.0
    }

    /// What a statement is to look for: one more than is asked for tells whether there is a next page.
    pub(crate) fn one_more(self) -> i64 {
        self.0 + 1
    }
}

impl FromStr for PageLimit {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match canonical_integer(text) {
            Some(limit @ 1..=100) => Ok(Self(limit)),
            _ => Err(Invalid::new("must be an integer from 1 to 100")),
        }
    }
}

/// Bytes of a cursor that say which list and filter it is of.
const SEAL_BYTES: usize = 12;

/// Where a page of a list ended. As a text it is a cursor: opaque to clients, safe in a URL, and good for its own list and
/// filter only.
///
/// A cursor is base64url of a seal and the position's values, which have no space in them. The seal is the start of the SHA-256
/// of the list's name, the filter and the values: one that was made by hand, or is another list's or another filter's, does
/// not have it. It is no secret. Who computes it sees nothing that the list does not show anyway.
pub trait Position: Sized {
    /// What its list is called.
    const LIST: &'static str;

    /// What it is made of, each without a space.
    fn values(&self) -> Vec<String>;

    /// The position that is made of these values.
    fn of(values: &[&str]) -> Option<Self>;

    /// The cursor of this position, in the list of what `filter` lets through.
    fn cursor(&self, filter: &str) -> String {
        let values = self.values().join(" ");
        let seal = seal(Self::LIST, filter, &values);
        URL_SAFE_NO_PAD.encode([&seal, values.as_bytes()].concat())
    }

    /// The position of a cursor of this list and filter.
    ///
    /// # Errors
    /// It is none.
    fn read(cursor: &str, filter: &str) -> Result<Self, Invalid> {
        let parse = || {
            let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
            let (sealed, values) = bytes.split_at_checked(SEAL_BYTES)?;
            let values = std::str::from_utf8(values).ok()?;
            if sealed != seal(Self::LIST, filter, values) {
                return None;
            }
            Self::of(&values.split(' ').collect::<Vec<_>>())
        };
        parse().ok_or_else(|| Invalid::new("must be a next_cursor of an earlier page of the same list"))
    }
}

/// No part of it can pass for another: each has its length before it.
fn seal(list: &str, filter: &str, values: &str) -> [u8; SEAL_BYTES] {
    let parts = ["boxoffice cursor 1", list, filter, values];
    let hash =
        parts.iter().fold(Sha256::new(), |hash, part| hash.chain_update(part.len().to_be_bytes()).chain_update(part));
    let mut seal = [0; SEAL_BYTES];
    hash.finalize().iter().zip(&mut seal).for_each(|(byte, place)| *place = *byte);
    seal
}

/// A time of a position: Postgres keeps them in microseconds, so nothing is lost.
pub(crate) fn time_value(time: Timestamp) -> String {
    time.as_microsecond().to_string()
}

/// The time of such a value.
pub(crate) fn time_of(value: &str) -> Option<Timestamp> {
    Timestamp::from_microsecond(canonical_integer(value)?).ok()
}

/// A page of a list, in the list's order.
#[derive(Clone, Debug)]
pub struct Page<T, P> {
    /// What is on it.
    pub items: Vec<T>,
    /// Where the next page begins, if there is one.
    pub next: Option<P>,
}

impl<T, P> Page<T, P> {
    /// The page in these rows, of which one more than the limit tells that there is a next page.
    ///
    /// The next page begins after the last row of this one, whether that row can be read or not: see [`readable`]. A row without a
    /// position (its time is `infinity`) comes after all others, so there is no next page then.
    pub(crate) fn read(
        rows: &[Row],
        limit: PageLimit,
        key: &[&str],
        item: impl Fn(&Row) -> Result<T, Error>,
        position: impl Fn(&Row) -> Result<P, Error>,
    ) -> Self {
        let length = usize::try_from(limit.get()).unwrap_or(usize::MAX);
        let (rows, more) = rows.split_at(length.min(rows.len()));
        let items = rows.iter().filter_map(|row| readable(row, key, &item)).collect();
        let last = if more.is_empty() { None } else { rows.last() };
        Self { items, next: last.and_then(|row| position(row).ok()) }
    }
}

/// What a row of a list has. One that cannot be read takes no other down with it: it is left out, logged by the columns of its
/// key, and counted. The schema has no such row; a later version may have, or a hand made it.
pub(crate) fn readable<T>(row: &Row, key: &[&str], read: impl Fn(&Row) -> Result<T, Error>) -> Option<T> {
    read(row)
        .inspect_err(|error| {
            let key: Vec<_> = key.iter().map(|column| key_part(row, column)).collect();
            tracing::error!(key = key.join(" "), cause = ?error.source(), "a row cannot be read, and is left out of a list");
            Counter::RowUnreadable.add(1);
        })
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        payments::{EventCursor, PaymentCursor},
        privacy::SubjectCursor,
        shows::ShowCursor,
    };

    fn shows() -> ShowCursor {
        ShowCursor { start_time: "2030-05-01T18:30:00.123456Z".parse().unwrap(), id: 42 }
    }

    fn payments(id: &str) -> PaymentCursor {
        PaymentCursor { created_at: shows().start_time, provider: "stripe".into(), payment_id: id.into() }
    }

    #[test]
    fn a_cursor_is_read_as_it_was_written_and_is_safe_in_a_url() {
        assert_eq!(ShowCursor::read(&shows().cursor(""), ""), Ok(shows()));
        for id in ["pi_1", "a&b#c+d=e%2F/?", "..", "\"'<>\\"] {
            let text = payments(id).cursor("refund_due");
            assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "{text}");
            assert_eq!(PaymentCursor::read(&text, "refund_due"), Ok(payments(id)));
        }
        let booking: SubjectCursor = SubjectCursor::after("42-019a5b7e-8f00-7abc-8def-0123456789ab".parse().unwrap());
        assert_eq!(SubjectCursor::read(&booking.cursor("ada"), "ada"), Ok(booking));
    }

    #[test]
    fn a_cursor_of_another_list_or_filter_is_none() {
        let text = payments("pi_1").cursor("refund_due");
        for filter in ["", "refunded", "refund_due ", "Refund_due"] {
            assert!(PaymentCursor::read(&text, filter).is_err(), "{filter:?}");
        }
        // Of the same values.
        assert!(EventCursor::read(&text, "refund_due").is_err());
        assert!(ShowCursor::read(&text, "refund_due").is_err());
        let event = EventCursor { received_at: shows().start_time, provider: "stripe".into(), event_id: "pi_1".into() };
        assert!(PaymentCursor::read(&event.cursor("refund_due"), "refund_due").is_err());
        assert_ne!(seal("a", "b", "c"), seal("ab", "", "c"));
        assert_ne!(seal("a", "b", "c"), seal("a", "bc", ""));
    }

    #[test]
    fn what_was_made_by_hand_is_none() {
        let text = shows().cursor("");
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        for made in ["", ".", "1785000000123456.42", "x", "AAAA", &encode(b"1785000000123456 42"), &encode(&[0; 40])] {
            assert!(ShowCursor::read(made, "").is_err(), "{made:?}");
        }
        // A cursor has one spelling: no byte of it can be another.
        for at in 0..text.len() {
            for other in ["A", "B", "_", "=", "+", ""] {
                let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
                assert!(changed == text || ShowCursor::read(&changed, "").is_err(), "{changed}");
            }
        }
        assert!(ShowCursor::read(&format!("{text}="), "").is_err());
        assert!(ShowCursor::read(&format!(" {text}"), "").is_err());
        // Even with a good seal: values that are none.
        for values in ["", "1", "1 ", " 1", "-1 1", "01 1", "1 1 1", "999999999999999999 1", "1 99999999999999999999"] {
            let bytes = [&seal("shows", "", values)[..], values.as_bytes()].concat();
            assert!(ShowCursor::read(&encode(&bytes), "").is_err(), "{values:?}");
        }
    }
}
