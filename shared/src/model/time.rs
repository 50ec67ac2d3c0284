//! Times as clients write them.

use jiff::Timestamp;

/// Where the parts of RFC 3339's `date-time` are fixed, before the fraction and the offset: `0` is any digit.
const SHAPE: &[u8] = b"0000-00-00T00:00:00";

/// Digits of a fraction that count: a timestamp has nanoseconds.
const MAX_FRACTION: usize = 9;

/// The time of an RFC 3339 `date-time`: `2030-05-01T20:00:00.5+02:00`. `T` and `Z` may be lower case; further digits of a fraction
/// than nine are passed over; a leap second is the second before it.
///
/// `jiff` reads more than that, as RFC 9557 and ISO 8601 have it: times without separators, zones in brackets, offsets with seconds
/// and of more than a day. Another reader would refuse those, or take them for another time.
///
/// `None`: it is no such text, no such day, or beyond the years 0 to 9999 in UTC.
///
/// ```
/// use boxoffice_shared::model::rfc3339;
/// assert_eq!(rfc3339("2030-05-01t20:00:00.5+02:00"), rfc3339("2030-05-01T18:00:00.500Z"));
/// assert!(rfc3339("20300501T200000Z").is_none());
/// ```
pub fn rfc3339(text: &str) -> Option<Timestamp> {
    let (date_time, rest) = text.split_at_checked(SHAPE.len())?;
    let fits = |(byte, shape): (u8, &u8)| match shape {
        b'0' => byte.is_ascii_digit(),
        shape => byte.eq_ignore_ascii_case(shape),
    };
    if !date_time.bytes().zip(SHAPE).all(fits) {
        return None;
    }
    let (fraction, offset) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(rest.bytes().take_while(u8::is_ascii_digit).count()),
        None => ("0", rest),
    };
    if fraction.is_empty() || !is_offset(offset) {
        return None;
    }
    let fraction = &fraction[..fraction.len().min(MAX_FRACTION)];
    let time: Timestamp = format!("{date_time}.{fraction}{offset}").parse().ok()?;
    (time >= YEAR_0).then_some(time)
}

/// The first moment of the year 0.
const YEAR_0: Timestamp = Timestamp::constant(-62_167_219_200, 0);

/// `Z`, or a sign, hours up to 23 and minutes up to 59.
fn is_offset(text: &str) -> bool {
    match text.as_bytes() {
        [b'Z' | b'z'] => true,
        [b'+' | b'-', h1, h2, b':', m1, m2] => {
            let digits = [h1, h2, m1, m2].into_iter().all(u8::is_ascii_digit);
            digits && (*h1 < b'2' || (*h1 == b'2' && *h2 <= b'3')) && *m1 <= b'5'
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> Option<String> {
        rfc3339(text).map(|time| time.to_string())
    }

    #[test]
    fn a_time_is_read_as_rfc_3339_has_it() {
        for (text, expected) in [
            ("2030-05-01T20:00:00Z", "2030-05-01T20:00:00Z"),
            ("2030-05-01t20:00:00z", "2030-05-01T20:00:00Z"),
            ("2030-05-01T20:00:00+02:00", "2030-05-01T18:00:00Z"),
            ("2030-05-01T20:00:00-23:59", "2030-05-02T19:59:00Z"),
            ("2030-05-01T20:00:00+23:59", "2030-04-30T20:01:00Z"),
            ("2030-05-01T20:00:00-00:00", "2030-05-01T20:00:00Z"),
            ("2030-05-01T20:00:00.5Z", "2030-05-01T20:00:00.5Z"),
            ("2030-05-01T20:00:00.123456789123Z", "2030-05-01T20:00:00.123456789Z"),
            ("2032-02-29T00:00:00Z", "2032-02-29T00:00:00Z"),
            ("2030-06-30T23:59:60Z", "2030-06-30T23:59:59Z"),
            ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"),
        ] {
            assert_eq!(utc(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn anything_else_is_no_time() {
        for text in [
            "",
            "2030-05-01",
            "2030-05-01T20:00:00",
            "2030-05-01T20:00Z",
            "2030-05-01 20:00:00Z",
            "20310501T200000Z",
            "2031-0501T20:00:00Z",
            "2030-05-01T200000Z",
            "2030-05-01T20:00:00+24:00",
            "2030-05-01T20:00:00+25:59",
            "2030-05-01T20:00:00+23:60",
            "2030-05-01T20:00:00+99:99",
            "2030-05-01T20:00:00+0200",
            "2030-05-01T20:00:00+02",
            "2030-05-01T20:00:00+02:00:00",
            "2030-05-01T20:00:00\u{2212}02:00",
            "2030-05-01T20:00:00Z[Europe/Berlin]",
            "2030-05-01T20:00:00+02:00[Europe/Berlin]",
            "2030-05-01T20:00:00Z[u-ca=hebrew]",
            "2030-05-01T20:00:00,5Z",
            "2030-05-01T20:00:00.Z",
            "2030-05-01T20:00:00.5",
            "2030-05-01T20:00:00 Z",
            "2030-05-01T20:00:00Z ",
            " 2030-05-01T20:00:00Z",
            "2030-13-01T20:00:00Z",
            "2030-02-29T20:00:00Z",
            "2030-05-32T20:00:00Z",
            "2030-05-01T24:00:00Z",
            "2030-05-01T20:60:00Z",
            "2030-05-01T20:00:61Z",
            "2030-121T20:00:00Z",
            "2030-W18-3T20:00:00Z",
            "+02030-05-01T20:00:00Z",
            "-002030-05-01T20:00:00Z",
            "+002030-05-01T20:00:00Z",
            "0000-01-01T00:00:00+00:01",
            "12030-05-01T20:00:00Z",
            "9999-12-31T23:59:59-23:59",
            "٢٠٣٠-05-01T20:00:00Z",
            "2030-05-01Tä0:00:00Z",
            "1900000000",
            "infinity",
            "now",
            "null",
        ] {
            assert_eq!(utc(text), None, "{text:?}");
        }
    }
}
