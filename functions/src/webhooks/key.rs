//! The keys that webhooks are signed with.

use std::fmt;

use boxoffice_shared::Invalid;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The maximum number of an endpoint's secrets. Two are needed during a rotation.
const MAX_KEYS: usize = 10;

/// An HMAC-SHA256 key. Its `Debug` output does not show it.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>);

/// The keys of an endpoint. A message is valid if any of them signed it.
pub type Keys = Vec<Key>;

impl Key {
    /// The key with these bytes.
    ///
    /// # Errors
    /// It is empty.
    pub fn new(bytes: &[u8]) -> Result<Self, Invalid> {
        match Hmac::new_from_slice(bytes) {
            Ok(hmac) if !bytes.is_empty() => Ok(Self(hmac)),
            _ => Err(Invalid::new("must not be empty")),
        }
    }

    /// Whether this key made any of these signatures of the concatenated parts. The parts are hashed once for all signatures,
    /// because anybody can send many signatures. The comparison takes constant time.
    pub(super) fn signed(&self, parts: &[&[u8]], signatures: &[Vec<u8>]) -> bool {
        let mut hmac = self.0.clone();
        parts.iter().for_each(|part| hmac.update(part));
        signatures.iter().any(|signature| hmac.clone().verify_slice(signature).is_ok())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

/// Reads a list of secrets, separated by commas or white space. `key` reads each.
///
/// # Errors
/// There are none or more than 10, or one is invalid. The message does not show any.
pub(super) fn read_list(text: &str, key: impl Fn(&str) -> Result<Key, Invalid>) -> Result<Keys, Invalid> {
    let secrets = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|secret| !secret.is_empty());
    let keys = secrets.map(key).collect::<Result<Keys, Invalid>>()?;
    if (1..=MAX_KEYS).contains(&keys.len()) {
        Ok(keys)
    } else {
        Err(Invalid::new(format!("must be 1 to {MAX_KEYS} secrets, separated by commas")))
    }
}
