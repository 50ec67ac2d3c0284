//! Keyset pagination: page limits, cursors and pages of lists.

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

/// Items on a page: 1 to 100, default 50.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLimit(i64);

impl PageLimit {
    /// 50 items.
    pub const DEFAULT: Self = Self(50);

    /// The number of items.
    pub fn get(self) -> i64 {
        self.0
    }

    /// The limit for the statement: one more than requested, because the extra row shows that there is a next page.
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

/// Length, in bytes, of the seal that ties a cursor to its list and filter.
const SEAL_BYTES: usize = 12;

/// The end of a page of a list. As text it is a cursor: opaque to clients, safe in a URL, and valid only for its own
/// list and filter.
///
/// A cursor is base64url of a seal and the position's values, which contain no spaces. The seal is the start of the
/// SHA-256 of the list's name, the filter and the values. A cursor that was made by hand, or comes from another list or
/// filter, does not match its seal. The seal is not a secret: computing it reveals nothing that the list does not show
/// anyway.
pub trait Position: Sized {
    /// The name of the list.
    const LIST: &'static str;

    /// The values of the position, each without a space.
    fn values(&self) -> Vec<String>;

    /// The position with these values.
    fn of(values: &[&str]) -> Option<Self>;

    /// The cursor for this position in the list filtered by `filter`.
    fn cursor(&self, filter: &str) -> String {
        let values = self.values().join(" ");
        let seal = seal(Self::LIST, filter, &values);
        URL_SAFE_NO_PAD.encode([&seal, values.as_bytes()].concat())
    }

    /// Reads a cursor of this list and filter.
    ///
    /// # Errors
    /// The text is not a cursor of this list and filter.
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
        parse().ok_or_else(|| Invalid::new("must be the next_cursor of an earlier page of the same list"))
    }
}

/// Computes the seal. Each part is prefixed with its length, so that different parts never hash the same input.
fn seal(list: &str, filter: &str, values: &str) -> [u8; SEAL_BYTES] {
    let parts = ["boxoffice cursor 1", list, filter, values];
    let hash =
        parts.iter().fold(Sha256::new(), |hash, part| hash.chain_update(part.len().to_be_bytes()).chain_update(part));
    let mut seal = [0; SEAL_BYTES];
    hash.finalize().iter().zip(&mut seal).for_each(|(byte, place)| *place = *byte);
    seal
}

/// Encodes a timestamp of a position. Postgres stores microseconds, so nothing is lost.
pub(crate) fn time_value(time: Timestamp) -> String {
    time.as_microsecond().to_string()
}

/// Decodes a timestamp encoded by [`time_value`].
pub(crate) fn time_of(value: &str) -> Option<Timestamp> {
    Timestamp::from_microsecond(canonical_integer(value)?).ok()
}

/// One page of a list, in the list's order.
#[derive(Clone, Debug)]
pub struct Page<T, P> {
    /// The items of the page.
    pub items: Vec<T>,
    /// Where the next page begins; `None` on the last page.
    pub next: Option<P>,
}

impl<T, P> Page<T, P> {
    /// Reads a page from rows that were fetched with [`PageLimit::one_more`]: the extra row shows that there is a next
    /// page.
    ///
    /// The next page begins after the last row of this one, even if that row cannot be read: see [`readable`]. A row
    /// without a position (its time is `infinity`) sorts after all others, so then there is no next page.
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

/// Reads one row of a list. A row that cannot be read does not fail the list: it is skipped, logged by its key columns,
/// and counted. The schema allows no such row, but a later version or a manual change may write one.
pub(crate) fn readable<T>(row: &Row, key: &[&str], read: impl Fn(&Row) -> Result<T, Error>) -> Option<T> {
    read(row)
        .inspect_err(|error| {
            let key: Vec<_> = key.iter().map(|column| key_part(row, column)).collect();
            tracing::error!(
                key = key.join(" "),
                cause = ?error.source(),
                "a row cannot be read and was left out of the list"
            );
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
    fn cursor_round_trips_and_is_url_safe() {
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
    fn cursor_of_another_list_or_filter_is_rejected() {
        let text = payments("pi_1").cursor("refund_due");
        for filter in ["", "refunded", "refund_due ", "Refund_due"] {
            assert!(PaymentCursor::read(&text, filter).is_err(), "{filter:?}");
        }
        // The same values in another list.
        assert!(EventCursor::read(&text, "refund_due").is_err());
        assert!(ShowCursor::read(&text, "refund_due").is_err());
        let event = EventCursor { received_at: shows().start_time, provider: "stripe".into(), event_id: "pi_1".into() };
        assert!(PaymentCursor::read(&event.cursor("refund_due"), "refund_due").is_err());
        assert_ne!(seal("a", "b", "c"), seal("ab", "", "c"));
        assert_ne!(seal("a", "b", "c"), seal("a", "bc", ""));
    }

    #[test]
    fn forged_cursor_is_rejected() {
        let text = shows().cursor("");
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        for made in ["", ".", "1785000000123456.42", "x", "AAAA", &encode(b"1785000000123456 42"), &encode(&[0; 40])] {
            assert!(ShowCursor::read(made, "").is_err(), "{made:?}");
        }
        // A cursor has exactly one spelling: changing any byte makes it invalid.
        for at in 0..text.len() {
            for other in ["A", "B", "_", "=", "+", ""] {
                let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
                assert!(changed == text || ShowCursor::read(&changed, "").is_err(), "{changed}");
            }
        }
        assert!(ShowCursor::read(&format!("{text}="), "").is_err());
        assert!(ShowCursor::read(&format!(" {text}"), "").is_err());
        // Invalid values, even with a correct seal.
        for values in ["", "1", "1 ", " 1", "-1 1", "01 1", "1 1 1", "999999999999999999 1", "1 99999999999999999999"] {
            let bytes = [&seal("shows", "", values)[..], values.as_bytes()].concat();
            assert!(ShowCursor::read(&encode(&bytes), "").is_err(), "{values:?}");
        }
    }
}
