//! Invalid tokens.

use boxoffice_e2e::{
    setting,
    token::{claims, key},
};
use boxoffice_testkit::issuer::{Key, assemble, now};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

/// One token of each kind, with what is wrong with it. All claim to be an operator's with this scope.
pub(super) fn bad(scope: &str) -> Vec<(&'static str, String)> {
    let mut all = untimely(scope);
    all.extend(forged(scope));
    all
}

/// Tokens signed with the right key, with invalid claims or form.
fn untimely(scope: &str) -> Vec<(&'static str, String)> {
    let with = |changes: Value| {
        let mut claims = claims("operator", scope);
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        key().token(&claims)
    };
    vec![
        ("garbage", "garbage".to_owned()),
        ("three parts of garbage", "e30.e30.e30".to_owned()),
        ("longer than any token", "a".repeat(12_000)),
        ("expired", with(json!({"exp": now() - 60}))),
        ("never expires", with(json!({"exp": null}))),
        ("not yet valid", with(json!({"nbf": now() + 3600}))),
        ("wrong audience", with(json!({"aud": "https://other.example"}))),
        ("wrong issuer", with(json!({"iss": "https://evil.example"}))),
        (
            "our issuer among others",
            with(json!({"iss": [setting::required("BOXOFFICE_ISSUER"), "https://evil.example"]})),
        ),
        ("an empty subject", with(json!({"sub": ""}))),
    ]
}

/// Tokens without a valid signature of the issuer's key.
fn forged(scope: &str) -> Vec<(&'static str, String)> {
    let (header, good) = (key().header(), claims("operator", scope));
    let id = setting::required("BOXOFFICE_ISSUER_KEY_ID");
    let (stranger, unknown) = (Key::ed(&id), Key::ec("unknown"));
    let named = |alg: &str| json!({"typ": "JWT", "alg": alg, "kid": id});
    let by_secret =
        |header: &Value, secret: &[u8]| assemble(&header.to_string(), &good.to_string(), |text| hmac(secret, text));
    let pem = key().public_pem();
    // A valid token without scopes, whose claims are replaced with an operator's.
    let modest = key().token(&claims("operator", ""));
    let signature = modest.rsplit('.').next().unwrap();
    let unsigned = key().token(&good);
    let (widened, _) = unsigned.rsplit_once('.').unwrap();
    let path = json!({"typ": "JWT", "alg": "HS256", "kid": "../../../../dev/null"});
    let brought = json!({"typ": "JWT", "alg": "EdDSA", "kid": id, "jwk": stranger.jwk()});
    vec![
        ("alg none", assemble(&named("none").to_string(), &good.to_string(), |_| Vec::new())),
        ("alg NoNe with a signature", key().token_with(&named("NoNe"), &good)),
        ("HS256 by the public key in PEM", by_secret(&named("HS256"), &pem)),
        (
            "HS256 by the public key's modulus",
            by_secret(&named("HS256"), key().jwk()["n"].as_str().unwrap().as_bytes()),
        ),
        ("HS256 by an empty file that its kid names", by_secret(&path, b"")),
        ("RS256 by the public key as a secret", by_secret(&header, &pem)),
        ("another key under the same kid", stranger.token(&good)),
        ("another key that says it is RS256", stranger.token_with(&header, &good)),
        ("a key that nobody knows", unknown.token(&good)),
        ("a key that it brings along", stranger.token_with(&brought, &good)),
        ("a changed payload", format!("{widened}.{signature}")),
        ("a signature cut off", format!("{widened}.")),
        ("another algorithm of the key", key().token_with(&named("PS256"), &good)),
    ]
}

fn hmac(secret: &[u8], text: &[u8]) -> Vec<u8> {
    let mut hmac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    hmac.update(text);
    hmac.finalize().into_bytes().to_vec()
}
