//! How long personal data is kept.

use super::Invalid;

/// For how many days after its show a booking keeps its name, and a payment's event what the provider sent: 1 to 36,500. A day is
/// 24 hours.
///
/// ```
/// use boxoffice_shared::model::Retention;
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
