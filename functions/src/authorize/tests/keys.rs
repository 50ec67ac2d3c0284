//! The issuer's key set.

use super::*;

#[test]
fn an_unusable_key_is_skipped() {
    let (rsa, ec, ed) = (SigningKey::rsa("rsa", 2048), SigningKey::ec("ec"), SigningKey::ed("ed"));
    let with = |jwk: Value, name: &str, value: Value| {
        let mut jwk = jwk;
        jwk[name] = value;
        jwk
    };
    for bad in [
        SigningKey::rsa("short", 1024).jwk(),
        SigningKey::rsa("short", 2047).jwk(),
        with(rsa.jwk(), "use", json!("enc")),
        with(rsa.jwk(), "key_ops", json!(["encrypt"])),
        with(rsa.jwk(), "alg", json!("PS256")),
        with(rsa.jwk(), "alg", json!("RSA-OAEP")),
        with(rsa.jwk(), "kty", json!("oct")),
        with(rsa.jwk(), "e", json!("AQ")),
        with(rsa.jwk(), "e", json!("BA")),
        with(rsa.jwk(), "n", json!("")),
        with(rsa.jwk(), "n", json!(1)),
        with(rsa.jwk(), "n", json!("A".repeat(10_924) + "B")),
        with(ec.jwk(), "crv", json!("P-384")),
        with(ec.jwk(), "crv", json!("secp256k1")),
        with(ec.jwk(), "alg", json!("RS256")),
        with(ec.jwk(), "x", ec.jwk()["y"].clone()),
        with(ec.jwk(), "y", json!("AAAA")),
        with(ed.jwk(), "crv", json!("X25519")),
        with(ed.jwk(), "x", json!("AAAA")),
        json!({ "kty": "oct", "kid": "secret", "k": "AAAA", "alg": "HS256" }),
        json!({}),
        json!("key"),
        Value::Null,
    ] {
        assert_eq!(read(&[bad.clone(), ed.jwk()]).len(), 1, "{bad}");
        assert!(read(std::slice::from_ref(&bad)).is_empty(), "{bad}");
    }
    let said_less = json!({ "kty": "OKP", "crv": "Ed25519", "x": ed.jwk()["x"] });
    assert_eq!(read(&[said_less, with(rsa.jwk(), "key_ops", json!(["verify"]))]).len(), 2);
}

/// RFC 7515 leaves the padding out; some issuers write it.
#[test]
fn keys_are_read_with_or_without_padding() {
    let scene = Scene::new();
    let padded = |jwk: Value| {
        let mut jwk = jwk;
        for name in ["n", "e", "x", "y"] {
            if let Some(text) = jwk[name].as_str() {
                jwk[name] = json!(format!("{text}{}", "=".repeat((4 - text.len() % 4) % 4)));
            }
        }
        jwk
    };
    let jwks = [padded(scene.rsa.jwk()), padded(scene.ec.jwk()), padded(scene.ed.jwk())];
    assert!(jwks.iter().all(|jwk| jwk.to_string().contains('=')));
    let keys = read(&jwks);
    assert_eq!(keys.len(), 3);
    for key in [&scene.rsa, &scene.ec, &scene.ed] {
        assert!(scene.verify_by(&key.token(&claims(json!({}))), &keys).is_ok());
    }
}

#[test]
fn a_key_set_has_a_limit_and_at_least_one_key() {
    let ed = SigningKey::ed("ed");
    assert_eq!(read(&vec![ed.jwk(); 64]).len(), 64);
    assert!(read(&vec![ed.jwk(); 65]).is_empty());
    for bad in ["", "[]", "{}", r#"{"keys":[]}"#, r#"{"keys":{}}"#, "<html>"] {
        assert!(key::read(bad.as_bytes()).is_err(), "{bad}");
    }
}
