//! Why a token is not believed.

/// The log says it and a metric counts it; the client is not told, and the log has no token and no subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// The route needs a token, and there is none.
    Missing,
    /// This deployment believes no issuer.
    NoIssuer,
    /// There are several `Authorization` headers: another reader might take another one.
    SeveralHeaders,
    /// The header is no `Bearer` and one token.
    NotBearer,
    /// The token has more bytes than any that we need to read.
    TooLong,
    /// It is not three parts in base64url, or not of the JSON that it must be.
    Malformed,
    /// Its header asks for something that we do not know (`crit`).
    Critical,
    /// It is said to be another kind of token.
    NoAccessToken,
    /// Its algorithm is none of ours, or not its key's.
    Algorithm,
    /// It names no key, and the issuer has several.
    KeyNotNamed,
    /// It names a key that is not the issuer's.
    UnknownKey,
    /// The key did not make the signature.
    Signature,
    /// It is another issuer's.
    Issuer,
    /// It is for somebody else.
    Audience,
    /// It does not say when it ends, or not by a number that can be a time.
    NoExpiry,
    /// It has ended.
    Expired,
    /// It has not begun.
    NotYetValid,
    /// It does not say whose it is, or by a name that is too long or has control characters.
    Subject,
}
