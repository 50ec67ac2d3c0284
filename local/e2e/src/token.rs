//! Access tokens, signed with the key of the local cloud's issuer.

use std::{fs, sync::OnceLock};

use boxoffice_testkit::issuer::{Key, now};
use serde_json::{Value, json};

use crate::setting;

/// The audience that the local cloud's authorizer requires.
pub const AUDIENCE: &str = "boxoffice-local";

/// All scopes.
const OPERATOR: &str = "shows:write bookings:read bookings:confirm payments:read payments:settle subjects:erase";

/// The issuer's signing key, with the id under which the issuer publishes it.
pub fn key() -> &'static Key {
    static KEY: OnceLock<Key> = OnceLock::new();
    KEY.get_or_init(|| {
        let pem =
            fs::read(setting::required("BOXOFFICE_ISSUER_KEY")).expect("BOXOFFICE_ISSUER_KEY names a readable file");
        Key::rsa_from_pem(&setting::required("BOXOFFICE_ISSUER_KEY_ID"), &pem)
    })
}

/// Valid claims for this subject and scope, for an hour from now.
pub fn claims(subject: &str, scope: &str) -> Value {
    let issuer = setting::required("BOXOFFICE_ISSUER");
    json!({ "iss": issuer, "aud": AUDIENCE, "sub": subject, "scope": scope, "iat": now(), "exp": now() + 3600 })
}

/// A valid token for this subject and scope.
pub fn mint(subject: &str, scope: &str) -> String {
    key().token(&claims(subject, scope))
}

/// An operator's token with all scopes. All tests share it, so that the gateway caches one authorizer result.
pub fn operator() -> &'static str {
    static TOKEN: OnceLock<String> = OnceLock::new();
    TOKEN.get_or_init(|| mint("operator", OPERATOR))
}
