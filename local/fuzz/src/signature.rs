//! What both schemes of signatures have in common here: a clock, and an HMAC that is not the functions' own.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;

/// "Now", in seconds since 1970: that of the published vector of Standard Webhooks, which is a seed.
pub(crate) const NOW: i64 = 1_614_265_330;

/// The tolerance that the schemes ask for, in seconds either way.
const TOLERANCE: i64 = 300;

/// Now.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(NOW).expect("a time of 2021")
}

/// HMAC-SHA256 of the parts.
pub(crate) fn hmac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut hmac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length will do");
    parts.iter().for_each(|part| hmac.update(part));
    hmac.finalize().into_bytes().to_vec()
}

/// A signed time is digits, and within the tolerance.
pub(crate) fn is_in_time(text: &str, signed_at: Timestamp) -> bool {
    let seconds = signed_at.as_second();
    text.parse() == Ok(seconds) && text.bytes().all(|b| b.is_ascii_digit()) && (seconds - NOW).abs() <= TOLERANCE
}
