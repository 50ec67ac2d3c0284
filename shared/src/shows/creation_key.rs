//! What makes a repeated creation of a show recognisable.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::holders::{IdempotencyKey, Subject};

/// An `Idempotency-Key` of whoever makes a show, and what they asked for. Both are kept as hashes: who it was is nobody's to read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CreationKey {
    key: [u8; 32],
    request: [u8; 32],
}

impl CreationKey {
    /// The key of this subject: another's with the same text is another. `request` is the hash of what is asked for.
    pub fn new(subject: &Subject, key: &IdempotencyKey, request: [u8; 32]) -> Self {
        // No key has a space in it, so where the subject ends is plain.
        let key = Sha256::new().chain_update(subject.as_str()).chain_update(" ").chain_update(key.as_str()).finalize();
        Self { key: key.into(), request }
    }

    /// The hash by which it is found.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The hash of what was asked for.
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
    fn a_key_is_its_subjects_own() {
        let of = |subject: &str, key: &str| {
            CreationKey::new(&Subject::try_from(subject).unwrap(), &IdempotencyKey::try_from(key).unwrap(), [0; 32])
        };
        assert_eq!(of("ada", "k").key(), of("ada", "k").key());
        assert_ne!(of("ada", "k").key(), of("eve", "k").key());
        assert_ne!(of("ada b", "k").key(), of("ada", "b").key());
        assert_ne!(of("a", "k").key(), of("ak", "k").key());
    }
}
