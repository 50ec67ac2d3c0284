//! Tokens, good, bad and forged, against an issuer's keys.
#![allow(clippy::unwrap_used, reason = "tests")]

use boxoffice_shared::platform::config::Issuer;
use boxoffice_testkit::issuer::{Key as SigningKey, assemble, now};
use openssl::{hash::MessageDigest, pkey::PKey, sign::Signer};
use serde_json::{Value, json};

use super::{
    key::{self, Key},
    refused::Refused,
    token::{Header, Principal, Rules},
};

mod claims;
mod keys;
mod signatures;

const ISSUER: &str = "https://id.example/";
const AUDIENCE: &str = "boxoffice";

/// An issuer's keys, and what they are read as.
struct Scene {
    rsa: SigningKey,
    ec: SigningKey,
    ed: SigningKey,
    keys: Vec<Key>,
    rules: Rules,
}

fn read(keys: &[Value]) -> Vec<Key> {
    key::read(json!({ "keys": keys }).to_string().as_bytes()).unwrap_or_default()
}

impl Scene {
    fn new() -> Self {
        let (rsa, ec, ed) = (SigningKey::rsa("rsa", 2048), SigningKey::ec("ec"), SigningKey::ed("ed"));
        let keys = read(&[rsa.jwk(), ec.jwk(), ed.jwk()]);
        assert_eq!(keys.len(), 3);
        Self { rsa, ec, ed, keys, rules: Rules::new(Issuer::new(ISSUER, AUDIENCE, String::new()).unwrap()) }
    }

    fn verify(&self, token: &str) -> Result<Principal, Refused> {
        self.verify_by(token, &self.keys)
    }

    fn verify_by(&self, token: &str, keys: &[Key]) -> Result<Principal, Refused> {
        self.rules.verify(token, &Header::read(token)?, keys)
    }

    /// The verdict on good claims with these put in, or taken out where they are null.
    fn verdict(&self, changes: Value) -> Result<Principal, Refused> {
        self.verify(&self.ed.token(&claims(changes)))
    }

    /// The verdict on a token with this header that the RSA key signs.
    fn verdict_on_header(&self, header: &Value) -> Result<Principal, Refused> {
        self.verify(&self.rsa.token_with(header, &claims(json!({}))))
    }
}

fn claims(changes: Value) -> Value {
    let mut claims = json!({
        "iss": ISSUER, "sub": "ada", "aud": AUDIENCE, "iat": now(), "exp": now() + 300, "scope": "openid shows:write",
    });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}
