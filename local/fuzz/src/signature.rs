//! The parts that both signature schemes share here: a clock, and an HMAC that is independent of the functions' code.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;

/// The current time, in seconds since 1970: that of the published Standard Webhooks vector, which is a seed.
pub(crate) const NOW: i64 = 1_614_265_330;

/// The schemes' tolerance in either direction, in seconds.
const TOLERANCE: i64 = 300;

/// The current time.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(NOW).expect("a time of 2021")
}

/// HMAC-SHA256 of the parts.
pub(crate) fn hmac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut hmac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    parts.iter().for_each(|part| hmac.update(part));
    hmac.finalize().into_bytes().to_vec()
}

/// Whether a signed time consists of digits and is within the tolerance.
pub(crate) fn is_in_time(text: &str, signed_at: Timestamp) -> bool {
    let seconds = signed_at.as_second();
    text.parse() == Ok(seconds) && text.bytes().all(|b| b.is_ascii_digit()) && (seconds - NOW).abs() <= TOLERANCE
}
