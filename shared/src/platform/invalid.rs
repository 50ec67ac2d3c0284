//! Rejected values.

/// Why a value was rejected, as part of a sentence for the client: "must be an integer from 1 to 1000".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(String);

impl Invalid {
    /// Creates an error with this part of a sentence.
    pub fn new(detail: impl Into<String>) -> Self {
        Self(detail.into())
    }
}

/// Parses decimal digits without a sign or a leading zero, so that an id has only one spelling.
pub(crate) fn canonical_integer(text: &str) -> Option<i64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    if plain { text.parse().ok() } else { None }
}
