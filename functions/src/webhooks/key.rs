//! The keys that webhooks are signed with.

use std::fmt;

use boxoffice_shared::Invalid;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Secrets of one endpoint at once, at most: two while one is rotated, and some to spare.
const MAX_KEYS: usize = 10;

/// One key of HMAC-SHA256, ready for use. Its `Debug` shows nothing of it.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>);

/// The keys of one endpoint: a message is good if any of them signed it.
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

    /// Whether this key made any of these signatures of the parts, one after the other. The parts are read once, however
    /// many signatures there are: nobody has vouched for their number yet. Each comparison takes as long wherever they
    /// differ.
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

/// The keys of a list of secrets, separated by commas or white space, each read by `key`.
///
/// # Errors
/// There is none, there are more than 10, or one is not what `key` reads. The message does not show it.
pub(super) fn read_list(text: &str, key: impl Fn(&str) -> Result<Key, Invalid>) -> Result<Keys, Invalid> {
    let secrets = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|secret| !secret.is_empty());
    let keys = secrets.map(key).collect::<Result<Keys, Invalid>>()?;
    if (1..=MAX_KEYS).contains(&keys.len()) {
        Ok(keys)
    } else {
        Err(Invalid::new(format!("must be 1 to {MAX_KEYS} secrets, separated by commas")))
    }
}
