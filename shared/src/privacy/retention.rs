//! How long personal data is kept.

use crate::{
    Invalid,
    platform::config::{Reader, Source},
};

/// For how many days after its show a booking keeps its name, and a payment's event what the provider sent: 1 to 36,500. A day is
/// 24 hours.
///
/// ```
/// use boxoffice_shared::privacy::Retention;
/// assert!(Retention::try_from(1).is_ok() && Retention::try_from(0).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    days: i32,
}

impl Retention {
    /// A year. Long enough for whoever disputes a payment or asks about a visit, and then it goes without anybody's doing: not to
    /// be kept must not depend on an operator who thinks of it.
    pub const DEFAULT: Self = Self { days: 365 };

    /// The greatest number of days: a hundred years.
    pub const MAX_DAYS: i32 = 36_500;

    /// The same in hours.
    pub(crate) fn hours(self) -> i32 {
        self.days * 24
    }
}

impl TryFrom<i32> for Retention {
    type Error = Invalid;

    fn try_from(days: i32) -> Result<Self, Invalid> {
        match days {
            1..=Self::MAX_DAYS => Ok(Self { days }),
            _ => Err(Invalid::new(format!("must be a number of days from 1 to {}", Self::MAX_DAYS))),
        }
    }
}

impl<S: Source> Reader<'_, S> {
    /// `RETENTION_DAYS`: for how long personal data is kept, 0 to 36,500 days, that of [`Retention::DEFAULT`] unless set. 0: for ever,
    /// which is `Some(None)`.
    pub fn retention(&mut self) -> Option<Option<Retention>> {
        if self.source.get("RETENTION_DAYS").is_none() {
            return Some(Some(Retention::DEFAULT));
        }
        let days = self.integer("RETENTION_DAYS", 0, 0..=Retention::MAX_DAYS)?;
        Some(Retention::try_from(days).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn personal_data_is_kept_for_a_year_unless_it_is_said_otherwise() {
        let read = |value: &str| {
            let source = |name: &str| (name == "RETENTION_DAYS").then(|| value.to_owned());
            let mut reader = Reader::new(&source);
            let retention = reader.retention();
            reader.finish(retention)
        };
        assert_eq!(read(""), Ok(Some(Retention::try_from(365).unwrap())));
        assert_eq!(read("0"), Ok(None));
        assert_eq!(read("36500"), Ok(Some(Retention::try_from(36_500).unwrap())));
        for bad in ["-1", "36501", "1.5", "never"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
