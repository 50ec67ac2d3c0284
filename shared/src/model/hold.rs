//! How long seats are held.

use std::time::Duration;

use super::Invalid;

/// How long a booking holds its seats: 1 to 900 whole seconds.
///
/// The queue's longest delay is 900 s; a hold that is longer would need a message that is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold(u16);

impl Hold {
    /// Two minutes.
    pub const DEFAULT: Self = Self(120);

    /// The hold in whole seconds.
    pub fn seconds(self) -> u16 {
        self.0
    }

    /// The hold as a duration.
    pub fn duration(self) -> Duration {
        Duration::from_secs(self.0.into())
    }
}

impl TryFrom<i64> for Hold {
    type Error = Invalid;

    fn try_from(seconds: i64) -> Result<Self, Invalid> {
        match u16::try_from(seconds) {
            Ok(seconds @ 1..=900) => Ok(Self(seconds)),
            _ => Err(Invalid::new("must be a whole number of seconds from 1 to 900")),
        }
    }
}
