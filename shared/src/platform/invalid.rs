//! Values that are refused.

/// Why a value was refused, in a sentence part fit for a client: "must be an integer from 1 to 1000".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(String);

impl Invalid {
    /// With this sentence part.
    pub fn new(detail: impl Into<String>) -> Self {
        Self(detail.into())
    }
}

/// Decimal digits as a person would write them: no sign, no leading zero. So an id has one spelling.
pub(crate) fn canonical_integer(text: &str) -> Option<i64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    if plain { text.parse().ok() } else { None }
}
