//! The issuer's keys, as it publishes them (RFC 7517).

use base64::{
    Engine,
    alphabet::URL_SAFE,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use boxoffice_shared::error::Cause;
use jsonwebtoken::{Algorithm, DecodingKey};
use openssl::bn::BigNum;
use serde::Deserialize;
use serde_json::Value;

use super::{crypto::public_key, refused::Refused};

/// RFC 7515 leaves the padding out; some issuers write it.
const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Keys of one issuer at most. Those of large ones are two to ten.
const MAX_KEYS: usize = 64;

/// The bits of an RSA key's modulus. Shorter ones can be broken; longer ones take long to verify with, for anyone who asks.
const RSA_BITS: std::ops::RangeInclusive<i32> = 2048..=8192;

/// The bits of an RSA key's exponent. It is 65,537 nearly everywhere.
const RSA_EXPONENT_BITS: std::ops::RangeInclusive<i32> = 2..=33;

/// The bytes of a coordinate of P-256, and of a key of Ed25519.
const COORDINATE: usize = 32;

/// A key that verifies signatures by the one algorithm that it is for.
pub(super) struct Key {
    id: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) decoding: DecodingKey,
}

/// A key as it is published: what we look at.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// The keys of a set that can be used. An issuer may have others, for other purposes: they are passed over.
///
/// # Errors
/// It is no set of keys, has too many, or none that can be used.
pub(super) fn read(set: &[u8]) -> Result<Vec<Key>, Cause> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<Value>,
    }
    let set: Set = serde_json::from_slice(set)?;
    if set.keys.len() > MAX_KEYS {
        return Err(format!("the issuer has more than {MAX_KEYS} keys").into());
    }
    let keys: Vec<_> = set.keys.into_iter().filter_map(|key| Key::read(serde_json::from_value(key).ok()?)).collect();
    if keys.is_empty() { Err("the issuer has no key that can be used".into()) } else { Ok(keys) }
}

/// The key of this id for this algorithm.
///
/// # Errors
/// There is none; without an id, it is none if there are several.
pub(super) fn find<'a>(keys: &'a [Key], id: Option<&str>, algorithm: Algorithm) -> Result<&'a Key, Refused> {
    let mut named = keys.iter().filter(|key| id.is_none() || key.id.as_deref() == id).peekable();
    match (named.peek(), id) {
        (None, _) => return Err(Refused::UnknownKey),
        (Some(_), None) if keys.len() > 1 => return Err(Refused::KeyNotNamed),
        (Some(_), _) => {}
    }
    // One id may be that of two keys of different kinds.
    named.find(|key| key.algorithm == algorithm).ok_or(Refused::Algorithm)
}

impl Key {
    fn read(jwk: Jwk) -> Option<Self> {
        let verifies = jwk.key_ops.as_ref().is_none_or(|operations| operations.iter().any(|name| name == "verify"));
        if jwk.usage.as_deref().is_some_and(|usage| usage != "sig") || !verifies {
            return None;
        }
        let (algorithm, name, decoding) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) => (Algorithm::RS256, "RS256", rsa(&bytes(jwk.n)?, &bytes(jwk.e)?)?),
            ("EC", Some("P-256")) => (Algorithm::ES256, "ES256", ec(&bytes(jwk.x)?, &bytes(jwk.y)?)?),
            ("OKP", Some("Ed25519")) => (Algorithm::EdDSA, "EdDSA", DecodingKey::from_ed_der(&bytes(jwk.x)?)),
            _ => return None,
        };
        // A key that says what it is for is for nothing else: one for PS256 does not verify RS256.
        if jwk.alg.is_some_and(|alg| alg != name) {
            return None;
        }
        // Said once, now: the length of a key of Ed25519, and whether a point is on its curve.
        public_key(algorithm, &decoding).ok()?;
        Some(Self { id: jwk.kid, algorithm, decoding })
    }
}

fn bytes(text: Option<String>) -> Option<Vec<u8>> {
    BASE64URL.decode(text?).ok()
}

fn rsa(modulus: &[u8], exponent: &[u8]) -> Option<DecodingKey> {
    let (n, e) = (BigNum::from_slice(modulus).ok()?, BigNum::from_slice(exponent).ok()?);
    let fits = RSA_BITS.contains(&n.num_bits()) && RSA_EXPONENT_BITS.contains(&e.num_bits()) && e.is_bit_set(0);
    fits.then(|| DecodingKey::from_rsa_raw_components(modulus, exponent))
}

fn ec(x: &[u8], y: &[u8]) -> Option<DecodingKey> {
    // 4: both coordinates follow, uncompressed.
    let point = [&[4], x, y].concat();
    (x.len() == COORDINATE && y.len() == COORDINATE).then(|| DecodingKey::from_ec_der(&point))
}
