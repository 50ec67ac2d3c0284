//! The length of a hold.

use std::time::Duration;

use crate::{
    Invalid,
    platform::config::{Reader, Source},
};

/// How long a booking holds its seats: 1 to 900 whole seconds.
///
/// SQS delays a message by at most 900 s. A longer hold would need its message to be sent again.
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

impl<S: Source> Reader<'_, S> {
    /// Reads `HOLD_SECONDS`, default 120.
    pub fn hold(&mut self) -> Option<Hold> {
        let Some(text) = self.source.get("HOLD_SECONDS") else {
            return Some(Hold::DEFAULT);
        };
        match text.parse::<i64>().map(Hold::try_from) {
            Ok(Ok(hold)) => Some(hold),
            _ => self.fault("HOLD_SECONDS must be a whole number of seconds from 1 to 900.".into()),
        }
    }

    /// Reads [`hold`](Self::hold) and `MAX_HOLD_SECONDS`: how long after a booking was made its hold can be extended
    /// to, 1 to 86,400 s, default 900, the longest single hold. It must not be below the hold. If the two are equal,
    /// holds cannot be extended.
    pub fn holds(&mut self) -> Option<(Hold, Duration)> {
        let hold = self.hold();
        let text = self.source.get("MAX_HOLD_SECONDS").unwrap_or_else(|| "900".to_owned());
        let max = match text.parse() {
            Ok(seconds @ 1..=86_400) => Some(Duration::from_secs(seconds)),
            _ => self.fault("MAX_HOLD_SECONDS must be a whole number of seconds from 1 to 86400.".into()),
        };
        match hold.zip(max) {
            Some((hold, max)) if max < hold.duration() => {
                self.fault("MAX_HOLD_SECONDS must not be below HOLD_SECONDS: holds could never be extended.".into())
            }
            holds => holds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hold_seconds_must_be_1_to_900() {
        let read = |value: &str| {
            let source = |name: &str| (name == "HOLD_SECONDS").then(|| value.to_owned());
            let mut reader = Reader::new(&source);
            let hold = reader.hold();
            reader.finish(hold)
        };
        for (good, seconds) in [("", 120), ("1", 1), ("120", 120), ("900", 900)] {
            assert_eq!(read(good).map(Hold::seconds), Ok(seconds), "{good}");
        }
        for bad in ["0", "901", "-1", "1.5", "2m", "99999999999999999999"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn max_hold_seconds_must_be_between_the_hold_and_a_day() {
        let read = |hold: &str, max: &str| {
            let value = |name: &str| match name {
                "HOLD_SECONDS" => Some(hold.to_owned()),
                "MAX_HOLD_SECONDS" => Some(max.to_owned()),
                _ => None,
            };
            let mut reader = Reader::new(&value);
            let holds = reader.holds();
            reader.finish(holds).map(|(hold, max)| (hold.seconds(), max.as_secs()))
        };
        assert_eq!(read("", ""), Ok((120, 900)));
        assert_eq!(read("900", ""), Ok((900, 900)));
        assert_eq!(read("120", "86400"), Ok((120, 86_400)));
        assert_eq!(read("120", "120"), Ok((120, 120)));
        for (hold, max) in
            [("120", "0"), ("120", "86401"), ("120", "-1"), ("120", "10m"), ("120", "119"), ("900", "600"), ("", "60")]
        {
            assert!(read(hold, max).is_err(), "{hold} {max}");
        }
        let faults = read("121", "120").unwrap_err().to_string();
        assert!(faults.contains("MAX_HOLD_SECONDS must not be below HOLD_SECONDS"), "{faults}");
    }
}
