//! Signatures, keys and headers.

use super::*;

#[test]
fn each_algorithm_verifies() {
    let scene = Scene::new();
    for key in [&scene.rsa, &scene.ec, &scene.ed] {
        let caller = scene.verify(&key.token(&claims(json!({ "exp": 4_000_000_000_u64 })))).unwrap();
        assert_eq!((caller.subject.as_str(), caller.scopes.to_string().as_str()), ("ada", "shows:write"));
        assert_eq!(caller.expires_at, 4_000_000_000);
        assert!(!format!("{caller:?}").contains("ada"));
    }
}

#[test]
fn a_signature_of_another_key_or_message_is_refused() {
    let scene = Scene::new();
    let strangers = [SigningKey::rsa("rsa", 2048), SigningKey::ec("ec"), SigningKey::ed("ed")];
    for (key, stranger) in [&scene.rsa, &scene.ec, &scene.ed].into_iter().zip(&strangers) {
        assert_eq!(scene.verify(&stranger.token(&claims(json!({})))), Err(Refused::Signature));
        let good = key.token(&claims(json!({})));
        let (message, signature) = good.rsplit_once('.').unwrap();
        let other = key.token(&claims(json!({ "sub": "eve" })));
        let (other_message, _) = other.rsplit_once('.').unwrap();
        assert_eq!(scene.verify(&format!("{other_message}.{signature}")), Err(Refused::Signature));
        assert_eq!(scene.verify(&format!("{message}.")), Err(Refused::Signature));
        // Half of it, more than it, and nothing but zeros.
        let half = &signature[..signature.len() / 4 * 2];
        for bad in [half.to_owned(), format!("{signature}AAAA"), "A".repeat(signature.len()), "AAAA".to_owned()] {
            let verdict = scene.verify(&format!("{message}.{bad}"));
            assert!(matches!(verdict, Err(Refused::Signature | Refused::Malformed)), "{bad}: {verdict:?}");
        }
    }
}

#[test]
fn a_token_without_a_signature_is_refused() {
    let scene = Scene::new();
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let header = json!({ "alg": alg, "kid": "rsa" }).to_string();
        let token = assemble(&header, &claims(json!({})).to_string(), |_| Vec::new());
        assert_eq!(scene.verify(&token), Err(Refused::Algorithm), "{alg}");
    }
}

/// Whoever took the algorithm from the token would check an HMAC whose key everybody knows.
#[test]
fn a_public_key_is_not_accepted_as_a_secret() {
    let scene = Scene::new();
    let der = PKey::public_key_from_pem(&scene.rsa.public_pem()).unwrap().public_key_to_der().unwrap();
    for secret in [scene.rsa.public_pem(), der, b"rsa".to_vec()] {
        for alg in ["HS256", "HS384", "HS512", "RS256"] {
            let header = json!({ "alg": alg, "kid": "rsa" }).to_string();
            let hmac = PKey::hmac(&secret).unwrap();
            let sign = |message: &[u8]| {
                Signer::new(MessageDigest::sha256(), &hmac).unwrap().sign_oneshot_to_vec(message).unwrap()
            };
            let refused = if alg == "RS256" { Refused::Signature } else { Refused::Algorithm };
            assert_eq!(scene.verify(&assemble(&header, &claims(json!({})).to_string(), sign)), Err(refused), "{alg}");
        }
    }
}

#[test]
fn a_key_verifies_only_by_its_own_algorithm() {
    let scene = Scene::new();
    for (key, alg) in [(&scene.rsa, "ES256"), (&scene.ec, "RS256"), (&scene.ed, "ES256"), (&scene.rsa, "EdDSA")] {
        let mut header = key.header();
        header["alg"] = json!(alg);
        assert_eq!(scene.verify(&key.token_with(&header, &claims(json!({})))), Err(Refused::Algorithm), "{alg}");
    }
    for alg in ["RS384", "RS512", "PS256", "ES384", "ES256K", "Ed25519", "rs256", "RS256 "] {
        assert_eq!(scene.verdict_on_header(&json!({ "alg": alg, "kid": "rsa" })), Err(Refused::Algorithm), "{alg}");
    }
}

#[test]
fn a_header_with_more_demands_is_refused() {
    let scene = Scene::new();
    let with = |name: &str, value: Value| {
        let mut header = scene.rsa.header();
        header[name] = value;
        scene.verdict_on_header(&header)
    };
    for value in [json!(["b64"]), json!(["exp"]), json!([]), Value::Null, json!("exp")] {
        assert_eq!(with("crit", value.clone()), Err(Refused::Critical), "{value}");
    }
    for value in ["JWT", "jwt", "at+jwt", "application/at+jwt", "AT+JWT"] {
        assert!(with("typ", json!(value)).is_ok(), "{value}");
    }
    for value in ["logout+jwt", "dpop+jwt", "secevent+jwt", "JOSE", ""] {
        assert_eq!(with("typ", json!(value)), Err(Refused::NoAccessToken), "{value}");
    }
    for header in ["", "[]", "\"RS256\"", "{}", r#"{"alg":null}"#, r#"{"alg":"RS256","alg":"none","kid":"rsa"}"#, "{"] {
        let token = assemble(header, &claims(json!({})).to_string(), |_| vec![0; 256]);
        assert_eq!(scene.verify(&token), Err(Refused::Malformed), "{header}");
    }
}

/// The attacker's key in the token, or its address: neither makes it the issuer's.
#[test]
fn a_key_in_the_token_is_ignored() {
    let scene = Scene::new();
    let attacker = SigningKey::rsa("rsa", 2048);
    for (name, value) in [
        ("jwk", attacker.jwk()),
        ("jku", json!("https://evil.example/keys")),
        ("x5u", json!("https://evil.example/chain.pem")),
        ("x5c", json!(["MIIB"])),
    ] {
        let mut header = attacker.header();
        header[name] = value;
        let verdict = scene.verify(&attacker.token_with(&header, &claims(json!({}))));
        assert_eq!(verdict, Err(Refused::Signature), "{name}");
        header["kid"] = json!("attacker");
        let verdict = scene.verify(&attacker.token_with(&header, &claims(json!({}))));
        assert_eq!(verdict, Err(Refused::UnknownKey), "{name}");
    }
}

#[test]
fn a_token_must_name_its_key_unless_there_is_only_one() {
    let scene = Scene::new();
    let (named, unnamed) = (json!({ "alg": "RS256", "kid": "other" }), json!({ "alg": "RS256" }));
    assert_eq!(scene.verdict_on_header(&unnamed), Err(Refused::KeyNotNamed));
    assert_eq!(scene.verdict_on_header(&named), Err(Refused::UnknownKey));
    assert_eq!(scene.verdict_on_header(&json!({ "alg": "RS256", "kid": "" })), Err(Refused::UnknownKey));
    let one = read(&[scene.rsa.jwk()]);
    let token = |header| scene.rsa.token_with(header, &claims(json!({})));
    assert!(scene.verify_by(&token(&unnamed), &one).is_ok());
    assert_eq!(scene.verify_by(&token(&named), &one), Err(Refused::UnknownKey));
    // A key without an id is nobody's but a token's that names none.
    let mut jwk = scene.rsa.jwk();
    jwk.as_object_mut().unwrap().remove("kid");
    let nameless = read(&[jwk]);
    assert!(scene.verify_by(&token(&unnamed), &nameless).is_ok());
    assert_eq!(scene.verify_by(&token(&named), &nameless), Err(Refused::UnknownKey));
}

#[test]
fn keys_with_the_same_id_differ_by_their_kind() {
    let scene = Scene::new();
    let (rsa, ec) = (SigningKey::rsa("same", 2048), SigningKey::ec("same"));
    let keys = read(&[rsa.jwk(), ec.jwk()]);
    for key in [&rsa, &ec] {
        assert!(scene.verify_by(&key.token(&claims(json!({}))), &keys).is_ok());
    }
}
