//! Verifies access tokens.

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

/// The end of the year 9999. A later expiry is invalid.
const MAX_EXPIRY: u64 = 253_402_300_799;

/// The caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Principal {
    /// The token's subject. Its `Debug` output does not show it.
    pub(super) subject: Subject,
    /// The token's scopes.
    pub(super) scopes: Scopes,
    /// When the token expires, in seconds since 1970.
    pub(super) expires_at: u64,
}

/// The members of a token's header that are used. A key in the header, or a URL of one, is never used.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    algorithm: Algorithm,
    key_id: Option<String>,
}

impl Header {
    /// Reads the header of a token, before it is verified.
    ///
    /// # Errors
    /// Such a token is never accepted.
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

/// Whether the member is there, with any value, also `null`.
fn is_there<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(value).map(|_| true).map_err(D::Error::custom)
}

/// `JWT` is unspecific, and `at+jwt` is that of RFC 9068. The same keys sign other kinds of tokens, such as logout tokens.
fn is_access_token(kind: &str) -> bool {
    let kind = kind.to_ascii_lowercase();
    matches!(kind.strip_prefix("application/").unwrap_or(&kind), "jwt" | "at+jwt")
}

/// The supported algorithms. All have public keys, so that a key that verifies cannot sign.
fn algorithm(name: &str) -> Result<Algorithm, Refused> {
    match name {
        "RS256" => Ok(Algorithm::RS256),
        "ES256" => Ok(Algorithm::ES256),
        "EdDSA" => Ok(Algorithm::EdDSA),
        _ => Err(Refused::Algorithm),
    }
}

/// The checks of a token.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    issuer: Issuer,
    validation: Validation,
}

impl Rules {
    /// Checks for tokens of this issuer.
    pub(super) fn new(issuer: Issuer) -> Self {
        crypto::install();
        let mut validation = Validation::default();
        validation.set_issuer(&issuer.names());
        // Checked by `Claims::is_for`, because Cognito's access tokens have no audience.
        validation.validate_aud = false;
        validation.set_required_spec_claims(&["iss", "exp"]);
        validation.validate_nbf = true;
        validation.leeway = LEEWAY.as_secs();
        Self { issuer, validation }
    }

    /// Verifies a token with these keys, and gives its caller.
    ///
    /// # Errors
    /// The token is refused; the first reason that was found.
    pub(super) fn verify(&self, token: &str, header: &Header, keys: &[Key]) -> Result<Principal, Refused> {
        let key = key::find(keys, header.key_id.as_deref(), header.algorithm)?;
        // The algorithm of the key and not that of the token, because the issuer decides what a key is for.
        let validation = Validation { algorithms: vec![key.algorithm], ..self.validation.clone() };
        let claims = decode::<Claims>(token, &key.decoding, &validation).map_err(|error| refused(&error))?.claims;
        claims.principal(&self.issuer)
    }
}

/// The claims that are read, whatever their form.
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
        // `jsonwebtoken` would accept a list that contains our issuer.
        self.iss.as_str().filter(|name| issuer.is(name)).ok_or(Refused::Issuer)?;
        self.is_for(issuer)?;
        let subject = self.sub.as_str().and_then(|text| Subject::try_from(text).ok()).ok_or(Refused::Subject)?;
        // RFC 8693 has `scope`. Some issuers write `scp`, a list or a text, or `permissions`, a list.
        let words = [&self.scope, &self.scp, &self.permissions].into_iter().flat_map(words);
        let scopes = words.filter_map(|word| issuer.own_scope(word)).fold(Scopes::default(), Scopes::with);
        Ok(Principal { subject, scopes, expires_at: seconds(&self.exp)? })
    }

    /// Checks that it is an access token for us: by its audience, or by its client, because Amazon Cognito writes no audience. API
    /// Gateway's authorizers of HTTP APIs check the two in the same order.
    ///
    /// Cognito also writes what a token is used for. Its ID tokens have the client as audience, and must not be accepted.
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

/// The words of a text or of a list of texts; none for other values.
fn words(value: &Value) -> impl Iterator<Item = &str> {
    let list = value.as_array().into_iter().flatten().filter_map(Value::as_str);
    value.as_str().into_iter().flat_map(|text| text.split(' ')).chain(list)
}

/// The whole seconds of a time that may have a fraction.
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
