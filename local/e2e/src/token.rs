//! Access tokens of the local cloud's issuer, whose key `make test` names.

use std::{fs, sync::OnceLock};

use boxoffice_testkit::issuer::{Key, now};
use serde_json::{Value, json};

use crate::setting;

/// What the local cloud's tokens are for.
pub const AUDIENCE: &str = "boxoffice-local";

/// All scopes there are.
const OPERATOR: &str = "shows:write bookings:read bookings:confirm payments:read payments:settle subjects:erase";

/// The issuer's key. Its id is what the issuer says it is.
pub fn key() -> &'static Key {
    static KEY: OnceLock<Key> = OnceLock::new();
    KEY.get_or_init(|| {
        let pem = fs::read(setting::required("BOXOFFICE_ISSUER_KEY")).expect("the issuer's key");
        Key::rsa_from_pem(&setting::required("BOXOFFICE_ISSUER_KEY_ID"), &pem)
    })
}

/// Good claims: of this subject, with this scope, valid for an hour.
pub fn claims(subject: &str, scope: &str) -> Value {
    let issuer = setting::required("BOXOFFICE_ISSUER");
    json!({ "iss": issuer, "aud": AUDIENCE, "sub": subject, "scope": scope, "iat": now(), "exp": now() + 3600 })
}

/// A good token of this subject with this scope.
pub fn mint(subject: &str, scope: &str) -> String {
    key().token(&claims(subject, scope))
}

/// An operator's, who may do everything. One for all, so that the gateway keeps one answer.
pub fn operator() -> &'static str {
    static TOKEN: OnceLock<String> = OnceLock::new();
    TOKEN.get_or_init(|| mint("operator", OPERATOR))
}
