//! The parts that both signature schemes have in common.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::key::Key;

/// The maximum difference between a message's time and ours, so that a recorded message cannot be sent again later.
pub const TOLERANCE: Duration = Duration::from_secs(300);

/// The maximum number of signatures of a message that are checked. A sender adds one for each active secret.
const MAX_SIGNATURES: usize = 16;

/// Why a message is refused. It is logged, and the sender is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// A header is missing, repeated or malformed.
    Malformed,
    /// It was signed more than 300 s ago.
    TooOld,
    /// It was signed more than 300 s in the future.
    FromTheFuture,
    /// None of our keys made any of its signatures.
    NoMatch,
}

/// Reads the time in a header: seconds since 1970, digits only.
pub(super) fn time(text: &str) -> Result<Timestamp, Refused> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Refused::Malformed);
    }
    let seconds = text.parse().map_err(|_| Refused::Malformed)?;
    Timestamp::from_second(seconds).map_err(|_| Refused::Malformed)
}

/// Checks that a message's time is close enough to now.
pub(super) fn in_time(signed_at: Timestamp, now: Timestamp) -> Result<(), Refused> {
    let age = now.duration_since(signed_at);
    let tolerance = SignedDuration::try_from(TOLERANCE).unwrap_or(SignedDuration::ZERO);
    if age > tolerance {
        Err(Refused::TooOld)
    } else if age < -tolerance {
        Err(Refused::FromTheFuture)
    } else {
        Ok(())
    }
}

/// Checks that any of the keys made any of the signatures.
pub(super) fn any_signed(
    keys: &[Key],
    parts: &[&[u8]],
    signatures: impl Iterator<Item = Vec<u8>>,
) -> Result<(), Refused> {
    let signatures: Vec<_> = signatures.take(MAX_SIGNATURES).collect();
    if keys.iter().any(|key| key.signed(parts, &signatures)) { Ok(()) } else { Err(Refused::NoMatch) }
}
