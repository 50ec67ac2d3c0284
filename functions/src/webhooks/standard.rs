//! The signatures of [Standard Webhooks 1.0](https://www.standardwebhooks.com): the headers `webhook-id`,
//! `webhook-timestamp` and `webhook-signature: v1,<base64> v1,<base64>`.
//!
//! A v1 signature is the HMAC-SHA256 of `{id}.{timestamp}.{raw body}`. The key is base64 after `whsec_`. There may be several
//! signatures while a secret is rotated. Other versions, such as `v1a` with public keys, are ignored.

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use boxoffice_shared::Invalid;
use jiff::Timestamp;

use super::{
    key::{Key, Keys, read_list},
    signature::{Refused, any_signed, in_time, time},
};

/// The header with the message's id.
pub const ID_HEADER: &str = "webhook-id";

/// The header with the time of the signature.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";

/// The header with the signatures.
pub const SIGNATURE_HEADER: &str = "webhook-signature";

/// Secrets may have padding or not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The headers of a message.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'a> {
    /// `webhook-id`
    pub id: &'a str,
    /// `webhook-timestamp`
    pub timestamp: &'a str,
    /// `webhook-signature`
    pub signature: &'a str,
}

/// Reads the keys in a list of secrets.
///
/// # Errors
/// The list is invalid. The message does not show it.
pub fn keys(secrets: &str) -> Result<Keys, Invalid> {
    let invalid = || Invalid::new("must be secrets of the form whsec_<base64>, separated by commas");
    read_list(secrets, |secret| {
        let encoded = secret.strip_prefix("whsec_").ok_or_else(invalid)?;
        Key::new(&BASE64.decode(encoded).map_err(|_| invalid())?)
    })
}

/// Verifies a message, and gives the time of its signature.
///
/// ```
/// use boxoffice_functions::webhooks::standard;
/// let keys = standard::keys("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
/// let headers = standard::Headers {
///     id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
///     timestamp: "1614265330",
///     signature: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
/// };
/// let now = "2021-02-25T15:02:10Z".parse().unwrap();
/// assert_eq!(standard::verify(headers, br#"{"test": 2432232314}"#, &keys, now), Ok(now));
/// # Ok::<(), boxoffice_shared::Invalid>(())
/// ```
///
/// # Errors
/// Why it is refused.
pub fn verify(headers: Headers<'_>, body: &[u8], keys: &[Key], now: Timestamp) -> Result<Timestamp, Refused> {
    if headers.id.is_empty() {
        return Err(Refused::Malformed);
    }
    let signed_at = time(headers.timestamp)?;
    let versioned = headers.signature.split(' ').filter_map(|part| part.split_once(','));
    let signatures = versioned.filter(|(version, _)| *version == "v1").filter_map(|(_, text)| BASE64.decode(text).ok());
    let parts = [headers.id.as_bytes(), b".", headers.timestamp.as_bytes(), b".", body];
    any_signed(keys, &parts, signatures)?;
    // After the signature, because the time cannot be trusted before.
    in_time(signed_at, now)?;
    Ok(signed_at)
}
