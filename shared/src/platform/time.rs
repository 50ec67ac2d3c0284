//! Parses times.

use jiff::{Timestamp, civil::DateTime, tz::Offset};

use super::Invalid;

/// Parses a time in RFC 3339 and no other form: no zone in brackets, no ISO 8601 form without separators, no space in
/// place of the `T`, no offset of a day or more. `T` and `Z` may be lower case, as the RFC allows.
///
/// A leap second (`23:59:60`) is refused, since none is known in advance. Only the first nine digits of a fraction
/// count.
///
/// ```
/// use boxoffice_shared::platform::time::rfc_3339;
/// assert_eq!(rfc_3339("2031-05-01T20:00:00+02:00")?.to_string(), "2031-05-01T18:00:00Z");
/// assert!(rfc_3339("20310501T200000Z").is_err());
/// assert!(rfc_3339("2031-05-01T20:00:00+02:00[Europe/Berlin]").is_err());
/// assert!(rfc_3339("2031-05-01T20:00:00+25:00").is_err());
/// # Ok::<(), boxoffice_shared::Invalid>(())
/// ```
///
/// # Errors
/// The text is not such a time, or the year in UTC is not between 0 and 9999.
pub fn rfc_3339(text: &str) -> Result<Timestamp, Invalid> {
    read(text.as_bytes()).ok_or_else(|| Invalid::new("must be a time as in RFC 3339: 2030-12-31T20:00:00Z"))
}

fn read(text: &[u8]) -> Option<Timestamp> {
    let (date_time, rest) = text.split_at_checked(19)?;
    let separated = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')].iter().all(|(at, byte)| date_time[*at] == *byte);
    if !separated || !date_time[10].eq_ignore_ascii_case(&b'T') {
        return None;
    }
    let part = |at: usize| number(&date_time[at..at + 2]);
    let year = i16::from(number(&date_time[..2])?) * 100 + i16::from(part(2)?);
    let (month, day, hour, minute, second) = (part(5)?, part(8)?, part(11)?, part(14)?, part(17)?);
    let (nanosecond, offset) = fraction(rest)?;
    let date_time = DateTime::new(year, month, day, hour, minute, second, nanosecond).ok()?;
    seconds(offset)?.to_timestamp(date_time).ok()
}

/// Parses two digits.
fn number(text: &[u8]) -> Option<i8> {
    match text {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => i8::try_from((tens - b'0') * 10 + (ones - b'0')).ok(),
        _ => None,
    }
}

/// Parses an optional fraction. Returns nanoseconds and the rest of the text.
fn fraction(text: &[u8]) -> Option<(i32, &[u8])> {
    let Some(text) = text.strip_prefix(b".") else { return Some((0, text)) };
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (fraction, rest) = text.split_at(digits);
    let nine = fraction.iter().copied().chain(std::iter::repeat(b'0')).take(9);
    let nanosecond = nine.fold(0, |nanosecond, digit| nanosecond * 10 + i32::from(digit - b'0'));
    if digits == 0 { None } else { Some((nanosecond, rest)) }
}

/// Parses an offset: `Z`, or hours and minutes of less than a day.
fn seconds(text: &[u8]) -> Option<Offset> {
    let (sign, text) = match text {
        [b'Z' | b'z'] => return Some(Offset::UTC),
        [b'+', text @ ..] => (1, text),
        [b'-', text @ ..] => (-1, text),
        _ => return None,
    };
    let [hour_tens, hour_ones, b':', minutes @ ..] = text else { return None };
    let (hours, minutes) = (number(&[*hour_tens, *hour_ones])?, number(minutes)?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    Offset::from_seconds(sign * (i32::from(hours) * 3_600 + i32::from(minutes) * 60)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_rfc_3339_are_accepted() {
        for (text, utc) in [
            ("1985-04-12T23:20:50.52Z", "1985-04-12T23:20:50.52Z"),
            ("1996-12-19T16:39:57-08:00", "1996-12-20T00:39:57Z"),
            ("1937-01-01T12:00:27.87+00:20", "1937-01-01T11:40:27.87Z"),
            ("2031-05-01t20:00:00z", "2031-05-01T20:00:00Z"),
            ("2031-05-01T20:00:00-00:00", "2031-05-01T20:00:00Z"),
            ("2031-05-01T20:00:00+23:59", "2031-04-30T20:01:00Z"),
            ("2031-05-01T20:00:00-23:59", "2031-05-02T19:59:00Z"),
            ("2032-02-29T00:00:00Z", "2032-02-29T00:00:00Z"),
            ("2031-05-01T20:00:00.123456789999999999Z", "2031-05-01T20:00:00.123456789Z"),
            ("9999-12-30T00:00:00Z", "9999-12-30T00:00:00Z"),
        ] {
            assert_eq!(rfc_3339(text).map(|time| time.to_string()).as_deref(), Ok(utc), "{text}");
        }
    }

    #[test]
    fn other_times_are_refused() {
        for text in [
            "",
            "now",
            "infinity",
            "1900000000",
            "2031-05-01",
            "2031-05-01T20:00:00",
            "2031-05-01T20:00Z",
            "2031-05-01T20Z",
            "2031-05-01T20:00:00 Z",
            "2031-05-01 20:00:00Z",
            "2031-05-01_20:00:00Z",
            " 2031-05-01T20:00:00Z",
            "2031-05-01T20:00:00Z ",
            "2031-05-01T20:00:00Z\0",
            "20310501T200000Z",
            "20310501T20:00:00Z",
            "2031-05-01T200000Z",
            "2031-121T20:00:00Z",
            "2031-W18-4T20:00:00Z",
            "+002031-05-01T20:00:00Z",
            "-002031-05-01T20:00:00Z",
            "12031-05-01T20:00:00Z",
            "031-05-01T20:00:00Z",
            "2031-5-1T20:00:00Z",
            "2031-05-01T20:00:00.Z",
            "2031-05-01T20:00:00,5Z",
            "2031-05-01T20:00:00.5",
            "2031-05-01T20:00:00+02",
            "2031-05-01T20:00:00+0200",
            "2031-05-01T20:00:00+2:00",
            "2031-05-01T20:00:00+02:0",
            "2031-05-01T20:00:00+02:00:00",
            "2031-05-01T20:00:00+24:00",
            "2031-05-01T20:00:00-25:59",
            "2031-05-01T20:00:00+99:00",
            "2031-05-01T20:00:00+02:60",
            "2031-05-01T20:00:00\u{2212}02:00",
            "2031-05-01T20:00:00Z+02:00",
            "2031-05-01T20:00:00+02:00[Europe/Berlin]",
            "2031-05-01T20:00:00Z[UTC]",
            "2031-05-01T20:00:00Z[u-ca=hebrew]",
            "2031-02-29T20:00:00Z",
            "2031-02-30T20:00:00Z",
            "2031-00-01T20:00:00Z",
            "2031-13-01T20:00:00Z",
            "2031-05-00T20:00:00Z",
            "2031-05-32T20:00:00Z",
            "2031-05-01T24:00:00Z",
            "2031-05-01T20:60:00Z",
            "2031-05-01T20:00:61Z",
            "2031-12-31T23:59:60Z",
            "9999-12-31T23:59:59-23:59",
            "２０３１-05-01T20:00:00Z",
            "2031-05-01T20:00:0\u{e9}",
        ] {
            assert!(rfc_3339(text).is_err(), "{text:?}");
        }
    }
}
