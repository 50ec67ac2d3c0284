//! What both schemes of signatures share.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::key::Key;

/// How far a message's time may be from ours, before or after: a message that somebody recorded is of no use later.
pub const TOLERANCE: Duration = Duration::from_secs(300);

/// Signatures of one message that are looked at. A sender puts as many as it has active secrets.
const MAX_SIGNATURES: usize = 16;

/// Why a message is not taken for its sender's. For our log: whoever sent it is told nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// A header is missing, doubled or not of its form.
    Malformed,
    /// It was signed more than 300 s ago.
    TooOld,
    /// It was signed more than 300 s from now.
    FromTheFuture,
    /// No key of ours made any of its signatures.
    NoMatch,
}

/// The time in a header: whole seconds since 1970, digits only.
pub(super) fn time(text: &str) -> Result<Timestamp, Refused> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Refused::Malformed);
    }
    let seconds = text.parse().map_err(|_| Refused::Malformed)?;
    Timestamp::from_second(seconds).map_err(|_| Refused::Malformed)
}

/// Whether a message of this time is taken now.
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

/// Whether any key made any of the signatures of the parts.
pub(super) fn any_signed(
    keys: &[Key],
    parts: &[&[u8]],
    signatures: impl Iterator<Item = Vec<u8>>,
) -> Result<(), Refused> {
    let signatures: Vec<_> = signatures.take(MAX_SIGNATURES).collect();
    if keys.iter().any(|key| key.signed(parts, &signatures)) { Ok(()) } else { Err(Refused::NoMatch) }
}
