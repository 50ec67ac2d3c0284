//! The key that identifies a repeated request.

use std::fmt;

use crate::{Invalid, platform::text::visible_ascii};

/// An `Idempotency-Key`: 1 to 255 visible ASCII characters, unique within one show. Anyone who has the key can get the
/// booking, and a client may put personal data into it, so its `Debug` output hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The key as the client sent it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for IdempotencyKey {
    type Error = Invalid;

    fn try_from(text: &str) -> Result<Self, Invalid> {
        visible_ascii(text).map(Self)
    }
}

impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdempotencyKey")
    }
}
