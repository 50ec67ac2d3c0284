//! How long personal data is kept.

use crate::{
    Invalid,
    platform::config::{Reader, Source},
};

/// The retention period: how many days after its show a booking keeps its name, and how many days a payment event keeps
/// what the provider sent, 1 to 36,500. A day is 24 hours.
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
    /// One year. That is long enough for disputed payments and questions about a visit. Data is removed by default, so
    /// that its removal does not depend on an operator who remembers it.
    pub const DEFAULT: Self = Self { days: 365 };

    /// The longest period: a hundred years.
    pub const MAX_DAYS: i32 = 36_500;

    /// The period in hours.
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
    /// Reads `RETENTION_DAYS`: how long personal data is kept, 0 to 36,500 days, default [`Retention::DEFAULT`]. 0
    /// keeps it forever and returns `Some(None)`.
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
    fn retention_is_one_year_by_default() {
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
