//! An access token: who calls, and what they may do.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use boxoffice_shared::{holders::Subject, platform::config::Issuer};
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
use crate::access::{LEEWAY, Scopes};

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
        // By us: an access token of Cognito has none.
        validation.validate_aud = false;
        validation.set_required_spec_claims(&["iss", "exp"]);
        validation.validate_nbf = true;
        validation.leeway = LEEWAY.as_secs();
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
    aud: Value,
    #[serde(default)]
    client_id: Value,
    #[serde(default)]
    token_use: Value,
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
        self.is_for(issuer)?;
        let subject = self.sub.as_str().and_then(|text| Subject::try_from(text).ok()).ok_or(Refused::Subject)?;
        // RFC 8693 has `scope`; some issuers write `scp`, a list or a text, or `permissions`, a list.
        let words = [&self.scope, &self.scp, &self.permissions].into_iter().flat_map(words);
        let scopes = words.filter_map(|word| issuer.own_scope(word)).fold(Scopes::default(), Scopes::with);
        Ok(Principal { subject, scopes, expires_at: seconds(&self.exp)? })
    }

    /// Whether it is an access token that is for us: by its audience, or, of Amazon Cognito, which writes none, by the client that it
    /// was given to. API Gateway's own authorizers of HTTP APIs look at the two in this order as well.
    ///
    /// Cognito alone says what a token is to be used for. Its ID token's audience is the client: it must not pass for an access token.
    fn is_for(&self, issuer: &Issuer) -> Result<(), Refused> {
        let is_for_access = match &self.token_use {
            Value::Null => false,
            Value::String(text) if text == "access" => true,
            _ => return Err(Refused::NoAccessToken),
        };
        let is_ours = |name: &Value| name.as_str().is_some_and(|name| issuer.is_audience(name));
        let is_for_us = match &self.aud {
            Value::Null => is_for_access && is_ours(&self.client_id),
            Value::Array(names) => names.iter().any(is_ours),
            name => is_ours(name),
        };
        if is_for_us { Ok(()) } else { Err(Refused::Audience) }
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
        ErrorKind::ExpiredSignature => Refused::Expired,
        ErrorKind::ImmatureSignature => Refused::NotYetValid,
        ErrorKind::MissingRequiredClaim(claim) | ErrorKind::InvalidClaimFormat(claim) => match claim.as_str() {
            "iss" => Refused::Issuer,
            "nbf" => Refused::NotYetValid,
            _ => Refused::NoExpiry,
        },
        _ => Refused::Malformed,
    }
}
