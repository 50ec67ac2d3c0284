//! The issuer's keys, in the form in which it publishes them (RFC 7517).

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

/// RFC 7515 has no padding, but some issuers write it.
const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The maximum number of an issuer's keys. Large issuers have two to ten.
const MAX_KEYS: usize = 64;

/// The bits of an RSA key's modulus. A shorter key can be broken. A longer key makes each call of anybody expensive.
const RSA_BITS: std::ops::RangeInclusive<i32> = 2048..=8192;

/// The bits of an RSA key's exponent, which is nearly always 65,537.
const RSA_EXPONENT_BITS: std::ops::RangeInclusive<i32> = 2..=33;

/// The bytes of a P-256 coordinate and of an Ed25519 key.
const COORDINATE: usize = 32;

/// A key with the one algorithm that it may be used for.
pub(super) struct Key {
    id: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) decoding: DecodingKey,
}

/// The members of a published key that are read.
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

/// Reads the usable keys of a key set. Keys for other purposes are skipped.
///
/// # Errors
/// It is not a key set, or it has too many keys or no usable one.
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
    if keys.is_empty() { Err("the issuer has no usable key".into()) } else { Ok(keys) }
}

/// Finds the key with this id for this algorithm.
///
/// # Errors
/// There is none. Or the token names no key and the issuer has several.
pub(super) fn find<'a>(keys: &'a [Key], id: Option<&str>, algorithm: Algorithm) -> Result<&'a Key, Refused> {
    let mut named = keys.iter().filter(|key| id.is_none() || key.id.as_deref() == id).peekable();
    match (named.peek(), id) {
        (None, _) => return Err(Refused::UnknownKey),
        (Some(_), None) if keys.len() > 1 => return Err(Refused::KeyNotNamed),
        (Some(_), _) => {}
    }
    // Two keys of different kinds may have the same id.
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
        // A key with an `alg` is for that algorithm only: a key for PS256 does not verify RS256.
        if jwk.alg.is_some_and(|alg| alg != name) {
            return None;
        }
        // Checks the length of an Ed25519 key, and that a point is on the curve.
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
    // 4 means that both coordinates follow, uncompressed.
    let point = [&[4], x, y].concat();
    (x.len() == COORDINATE && y.len() == COORDINATE).then(|| DecodingKey::from_ec_der(&point))
}
