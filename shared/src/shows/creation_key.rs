//! The key that identifies a repeated request to create a show.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::holders::{IdempotencyKey, Subject};

/// An `Idempotency-Key` for creating a show, together with the request. Both are stored as hashes, so that nobody can
/// read who sent the request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CreationKey {
    key: [u8; 32],
    request: [u8; 32],
}

impl CreationKey {
    /// Makes the key of this subject. The same text from another subject is a different key. `request` is the hash of
    /// the requested show.
    pub fn new(subject: &Subject, key: &IdempotencyKey, request: [u8; 32]) -> Self {
        // A key contains no space, so the subject's end is unambiguous.
        let key = Sha256::new().chain_update(subject.as_str()).chain_update(" ").chain_update(key.as_str()).finalize();
        Self { key: key.into(), request }
    }

    /// The hash that the show is looked up by.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The hash of the request.
    pub fn request(&self) -> &[u8] {
        &self.request
    }
}

impl fmt::Debug for CreationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CreationKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn creation_keys_are_scoped_to_their_subject() {
        let of = |subject: &str, key: &str| {
            CreationKey::new(&Subject::try_from(subject).unwrap(), &IdempotencyKey::try_from(key).unwrap(), [0; 32])
        };
        assert_eq!(of("ada", "k").key(), of("ada", "k").key());
        assert_ne!(of("ada", "k").key(), of("eve", "k").key());
        assert_ne!(of("ada b", "k").key(), of("ada", "b").key());
        assert_ne!(of("a", "k").key(), of("ak", "k").key());
    }
}
