//! Keyset pages.

use std::{fmt, str::FromStr};

use jiff::Timestamp;

use super::{Invalid, ShowId, canonical_integer};

/// Shows on a page, 1 to 100, 50 unless asked otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLimit(i64);

impl PageLimit {
    /// 50 shows.
    pub const DEFAULT: Self = Self(50);

    /// The number of shows.
    pub fn get(self) -> i64 {
        self.0
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

/// Where a page ended: the last show's start and id. Opaque to clients, `<microseconds>.<id>` to us.
///
/// Postgres keeps times in microseconds; so the text loses nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub(crate) start_time: Timestamp,
    pub(crate) id: i64,
}

impl Cursor {
    /// Before every show: 1970.
    pub(crate) const START: Self = Self { start_time: Timestamp::UNIX_EPOCH, id: 0 };

    /// After the show with this start and id.
    pub(crate) fn after(start_time: Timestamp, id: ShowId) -> Self {
        Self { start_time, id: id.get() }
    }
}

impl FromStr for Cursor {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let parse = || {
            let (start_time, id) = text.split_once('.')?;
            let start_time = Timestamp::from_microsecond(canonical_integer(start_time)?).ok()?;
            Some(Self { start_time, id: canonical_integer(id)? })
        };
        parse().ok_or_else(|| Invalid::new("must be a next_cursor of an earlier page"))
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.start_time.as_microsecond(), self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_text() {
        let text = "1785000000123456.42";
        assert_eq!(text.parse::<Cursor>().map(|cursor| cursor.to_string()).as_deref(), Ok(text));
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for text in ["", ".", "1", "1.", ".1", "-1.1", "1.1.1", "999999999999999999.1", "1.99999999999999999999"] {
            assert!(text.parse::<Cursor>().is_err(), "{text:?}");
        }
    }
}
