//! Stripe's signatures: `Stripe-Signature: t=1700000000,v1=5257a869...,v1=...`.
//!
//! A v1 signature is the HMAC-SHA256 of `{t}.{raw body}`, in lower-case hex. The key is the whole text of the secret, with
//! `whsec_`. There may be several signatures while a secret is rotated. Other schemes, such as `v0` for tests, are ignored.

use boxoffice_shared::Invalid;
use jiff::Timestamp;

use super::{
    key::{Key, Keys, read_list},
    signature::{Refused, any_signed, in_time, time},
};

/// The header with the signatures.
pub const HEADER: &str = "stripe-signature";

/// Reads the keys in a list of secrets.
///
/// # Errors
/// The list is invalid. The message does not show it.
pub fn keys(secrets: &str) -> Result<Keys, Invalid> {
    read_list(secrets, |secret| match secret.strip_prefix("whsec_") {
        Some("") | None => Err(Invalid::new("must be secrets of the form whsec_..., separated by commas")),
        Some(_) => Key::new(secret.as_bytes()),
    })
}

/// Verifies a message, and gives the time of its signature.
///
/// ```
/// use boxoffice_functions::webhooks::{Refused, stripe};
/// let keys = stripe::keys("whsec_boxoffice_example")?;
/// let header = "t=1700000000,v1=0000000000000000000000000000000000000000000000000000000000000000";
/// let now = "2023-11-14T22:13:20Z".parse().unwrap();
/// assert_eq!(stripe::verify(header, b"{}", &keys, now), Err(Refused::NoMatch));
/// # Ok::<(), boxoffice_shared::Invalid>(())
/// ```
///
/// # Errors
/// Why it is refused.
pub fn verify(header: &str, body: &[u8], keys: &[Key], now: Timestamp) -> Result<Timestamp, Refused> {
    let elements = || header.split(',').filter_map(|element| element.split_once('='));
    let mut times = elements().filter(|(name, _)| *name == "t").map(|(_, value)| value);
    let (Some(text), None) = (times.next(), times.next()) else {
        return Err(Refused::Malformed);
    };
    let signed_at = time(text)?;
    let signatures = elements().filter(|(name, _)| *name == "v1").filter_map(|(_, value)| from_hex(value));
    any_signed(keys, &[text.as_bytes(), b".", body], signatures)?;
    // After the signature, because the time cannot be trusted before.
    in_time(signed_at, now)?;
    Ok(signed_at)
}

/// Decodes lower-case hex only, so that a signature has one spelling.
fn from_hex(text: &str) -> Option<Vec<u8>> {
    if text.bytes().any(|b| b.is_ascii_uppercase()) { None } else { hex::decode(text).ok() }
}
