//! An access token: who calls, and what they may do.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use boxoffice_shared::{config::Issuer, model::Subject};
use jsonwebtoken::{
    Algorithm, Validation, decode,
    errors::{Error, ErrorKind},
};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny},
};
use serde_json::Value;

use super::{
    crypto,
    key::{self, Key},
    refused::Refused,
};
use crate::access::Scopes;

/// How far the issuer's clock and ours may be apart, in seconds.
const LEEWAY_SECONDS: u64 = 30;

/// The end of the year 9999. Whatever ends later than that is no time.
const MAX_EXPIRY: u64 = 253_402_300_799;

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Principal {
    /// The token's subject. Its `Debug` shows nothing of it.
    pub(super) subject: Subject,
    /// What they may do.
    pub(super) scopes: Scopes,
    /// When the token ends, in seconds since 1970.
    pub(super) expires_at: u64,
}

/// What a token's header says, and all of it that we follow: never a key, or where to find one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    algorithm: Algorithm,
    key_id: Option<String>,
}

impl Header {
    /// The header of a token that is not yet verified.
    ///
    /// # Errors
    /// No key could verify such a token.
    pub(super) fn read(token: &str) -> Result<Self, Refused> {
        #[derive(Deserialize)]
        struct Json {
            alg: String,
            kid: Option<String>,
            typ: Option<String>,
            #[serde(default, deserialize_with = "is_there")]
            crit: bool,
        }
        let mut parts = token.split('.');
        let (Some(header), Some(_), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(Refused::Malformed);
        };
        let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| Refused::Malformed)?;
        let header: Json = serde_json::from_slice(&header).map_err(|_| Refused::Malformed)?;
        if header.crit {
            return Err(Refused::Critical);
        }
        if header.typ.is_some_and(|kind| !is_access_token(&kind)) {
            return Err(Refused::NoAccessToken);
        }
        Ok(Self { algorithm: algorithm(&header.alg)?, key_id: header.kid })
    }
}

/// Any value, also `null`.
fn is_there<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(value).map(|_| true).map_err(D::Error::custom)
}

/// `JWT` says nothing; `at+jwt` is RFC 9068's. A logout token, a proof of possession and the like are signed by the same
/// keys.
fn is_access_token(kind: &str) -> bool {
    let kind = kind.to_ascii_lowercase();
    matches!(kind.strip_prefix("application/").unwrap_or(&kind), "jwt" | "at+jwt")
}

/// The three that we know: by public keys, so that what verifies cannot sign.
fn algorithm(name: &str) -> Result<Algorithm, Refused> {
    match name {
        "RS256" => Ok(Algorithm::RS256),
        "ES256" => Ok(Algorithm::ES256),
        "EdDSA" => Ok(Algorithm::EdDSA),
        _ => Err(Refused::Algorithm),
    }
}

/// What a token must be.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    issuer: Issuer,
    validation: Validation,
}

impl Rules {
    /// A token of this issuer, for its audience.
    pub(super) fn new(issuer: Issuer) -> Self {
        crypto::install();
        let mut validation = Validation::default();
        validation.set_issuer(&issuer.names());
        validation.set_audience(&[issuer.audience()]);
        validation.set_required_spec_claims(&["iss", "aud", "exp"]);
        validation.validate_nbf = true;
        validation.leeway = LEEWAY_SECONDS;
        Self { issuer, validation }
    }

    /// Who the token is of, if one of these keys signed it and it is good now.
    ///
    /// # Errors
    /// It is not; the first reason that is found.
    pub(super) fn verify(&self, token: &str, header: &Header, keys: &[Key]) -> Result<Principal, Refused> {
        let key = key::find(keys, header.key_id.as_deref(), header.algorithm)?;
        // The key's algorithm and not the token's: it is the issuer who says what a key is for.
        let validation = Validation { algorithms: vec![key.algorithm], ..self.validation.clone() };
        let claims = decode::<Claims>(token, &key.decoding, &validation).map_err(|error| refused(&error))?.claims;
        claims.principal(&self.issuer)
    }
}

/// What we read of a token's claims, of whatever form.
#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    iss: Value,
    #[serde(default)]
    sub: Value,
    #[serde(default)]
    exp: Value,
    #[serde(default)]
    scope: Value,
    #[serde(default)]
    scp: Value,
    #[serde(default)]
    permissions: Value,
}

impl Claims {
    fn principal(&self, issuer: &Issuer) -> Result<Principal, Refused> {
        // `jsonwebtoken` would take a list with our issuer in it.
        self.iss.as_str().filter(|name| issuer.is(name)).ok_or(Refused::Issuer)?;
        let subject = self.sub.as_str().and_then(|text| Subject::try_from(text).ok()).ok_or(Refused::Subject)?;
        // RFC 8693 has `scope`; some issuers write `scp`, a list or a text, or `permissions`, a list.
        let scopes = [&self.scope, &self.scp, &self.permissions].into_iter().flat_map(words);
        let scopes = scopes.fold(Scopes::default(), Scopes::with);
        Ok(Principal { subject, scopes, expires_at: seconds(&self.exp)? })
    }
}

/// The words of a text, or of a list of them; none of anything else.
fn words(value: &Value) -> impl Iterator<Item = &str> {
    let list = value.as_array().into_iter().flatten().filter_map(Value::as_str);
    value.as_str().into_iter().flat_map(|text| text.split(' ')).chain(list)
}

/// A time that may have a fraction: its whole seconds.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float saturates, and a bound follows")]
fn seconds(value: &Value) -> Result<u64, Refused> {
    let seconds = value.as_u64().or_else(|| value.as_f64().map(|seconds| seconds as u64));
    seconds.filter(|seconds| *seconds <= MAX_EXPIRY).ok_or(Refused::NoExpiry)
}

fn refused(error: &Error) -> Refused {
    match error.kind() {
        ErrorKind::InvalidSignature => Refused::Signature,
        ErrorKind::InvalidAlgorithm | ErrorKind::UnsupportedAlgorithm => Refused::Algorithm,
        ErrorKind::InvalidIssuer => Refused::Issuer,
        ErrorKind::InvalidAudience => Refused::Audience,
        ErrorKind::ExpiredSignature => Refused::Expired,
        ErrorKind::ImmatureSignature => Refused::NotYetValid,
        ErrorKind::MissingRequiredClaim(claim) | ErrorKind::InvalidClaimFormat(claim) => match claim.as_str() {
            "iss" => Refused::Issuer,
            "aud" => Refused::Audience,
            "nbf" => Refused::NotYetValid,
            _ => Refused::NoExpiry,
        },
        _ => Refused::Malformed,
    }
}
