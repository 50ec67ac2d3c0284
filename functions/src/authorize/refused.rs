//! Why a token is refused.

/// It is logged and counted. The client is not told, and the log contains neither the token nor the subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// The route needs a token, and there is none.
    Missing,
    /// The deployment has no issuer.
    NoIssuer,
    /// There are several `Authorization` headers, of which another program might read another one.
    SeveralHeaders,
    /// The header is not `Bearer` and one token.
    NotBearer,
    /// The token is too long.
    TooLong,
    /// It is not three parts of JSON in base64url, or the JSON has another form.
    Malformed,
    /// Its header has critical extensions (`crit`), and we support none.
    Critical,
    /// It is another kind of token.
    NoAccessToken,
    /// Its algorithm is not supported, or not that of its key.
    Algorithm,
    /// It names no key, and the issuer has several.
    KeyNotNamed,
    /// It names a key that the issuer does not have.
    UnknownKey,
    /// The signature is invalid.
    Signature,
    /// It is of another issuer.
    Issuer,
    /// It is for another audience.
    Audience,
    /// It has no valid expiry.
    NoExpiry,
    /// It has expired.
    Expired,
    /// It is not valid yet.
    NotYetValid,
    /// It has no subject, or one that is too long or has control characters.
    Subject,
}
