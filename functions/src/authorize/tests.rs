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
fn a_public_key_is_no_secret() {
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
fn a_token_uses_a_key_as_the_issuer_says_or_not_at_all() {
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
fn a_header_that_asks_for_more_is_refused() {
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
fn a_key_that_the_token_brings_is_not_followed() {
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
fn a_token_names_its_key_unless_there_is_but_one() {
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
fn keys_of_one_id_are_told_apart_by_their_kind() {
    let scene = Scene::new();
    let (rsa, ec) = (SigningKey::rsa("same", 2048), SigningKey::ec("same"));
    let keys = read(&[rsa.jwk(), ec.jwk()]);
    for key in [&rsa, &ec] {
        assert!(scene.verify_by(&key.token(&claims(json!({}))), &keys).is_ok());
    }
}

#[test]
fn a_token_is_of_this_issuer() {
    let scene = Scene::new();
    for good in ["https://id.example/", "https://id.example"] {
        assert!(scene.verdict(json!({ "iss": good })).is_ok(), "{good}");
    }
    for bad in [
        json!("https://evil.example/"),
        json!("https://id.example/x"),
        json!("https://id.example//"),
        json!("http://id.example/"),
        json!("https://ID.example/"),
        json!(""),
        json!([ISSUER]),
        json!({ "a": ISSUER }),
        json!(1),
        Value::Null,
    ] {
        assert_eq!(scene.verdict(json!({ "iss": bad })), Err(Refused::Issuer), "{bad}");
    }
}

#[test]
fn a_token_is_for_this_audience() {
    let scene = Scene::new();
    for good in [json!(AUDIENCE), json!([AUDIENCE]), json!(["https://other.example", AUDIENCE])] {
        assert!(scene.verdict(json!({ "aud": good })).is_ok(), "{good}");
    }
    for bad in [
        json!("other"),
        json!(["other"]),
        json!([]),
        json!(""),
        json!("boxoffice2"),
        json!("other boxoffice"),
        json!(1),
        json!({ "a": AUDIENCE }),
        json!([[AUDIENCE]]),
        Value::Null,
    ] {
        assert_eq!(scene.verdict(json!({ "aud": bad })), Err(Refused::Audience), "{bad}");
    }
}

/// Amazon Cognito's access tokens have no audience, and their scopes the resource server's name before them:
/// <https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html>.
#[test]
fn an_access_token_of_cognito_is_told_by_its_client() {
    let scene = Scene::new();
    let issuer = Issuer::new(ISSUER, "web-client,mobile-client", "https://api.example/".to_owned()).unwrap();
    let scene = Scene { rules: Rules::new(issuer), ..scene };
    let cognito = |changes: Value| {
        let mut claims = json!({
            "aud": null, "client_id": "mobile-client", "token_use": "access", "username": "ada", "version": 2, "jti": "1",
            "scope": "aws.cognito.signin.user.admin https://api.example/shows:write https://api.example/bookings:read",
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        scene.verdict(claims)
    };
    assert_eq!(cognito(json!({})).unwrap().scopes.to_string(), "shows:write bookings:read");
    assert!(cognito(json!({ "client_id": "web-client" })).is_ok());
    // With an audience, as a pool with resource binding writes it, that is what counts.
    assert!(cognito(json!({ "aud": "web-client", "client_id": "other" })).is_ok());
    assert_eq!(cognito(json!({ "aud": "other" })), Err(Refused::Audience));
    for bad in
        [json!("other"), json!(""), json!("web-client,mobile-client"), json!(["web-client"]), json!(1), Value::Null]
    {
        assert_eq!(cognito(json!({ "client_id": bad })), Err(Refused::Audience), "{bad}");
    }
    // An ID token says so, and its audience is the client. A client's name alone says nothing of another issuer's token.
    for bad in [json!("id"), json!("refresh"), json!("ACCESS"), json!(["access"]), json!(true)] {
        assert_eq!(cognito(json!({ "token_use": bad })), Err(Refused::NoAccessToken), "{bad}");
        assert_eq!(cognito(json!({ "token_use": bad, "aud": "web-client" })), Err(Refused::NoAccessToken), "{bad}");
    }
    assert_eq!(cognito(json!({ "token_use": null })), Err(Refused::Audience));
    // Scopes of another resource server, and words that merely look like ours, open nothing.
    for bad in
        ["shows:write", "https://other.example/shows:write", "https://api.example//shows:write", "https://api.example"]
    {
        assert_eq!(cognito(json!({ "scope": bad })).unwrap().scopes.to_string(), "", "{bad}");
    }
}

#[test]
fn a_prefix_of_scopes_is_nobodys_unless_it_is_set() {
    let scope = json!({ "scope": "boxoffice/shows:write https://api.example/shows:write" });
    assert_eq!(Scene::new().verdict(scope).unwrap().scopes.to_string(), "");
}

#[test]
fn a_token_begins_and_ends_by_the_clock_give_or_take_half_a_minute() {
    let scene = Scene::new();
    assert!(scene.verdict(json!({ "exp": now() - 20 })).is_ok());
    assert_eq!(scene.verdict(json!({ "exp": now() - 32 })), Err(Refused::Expired));
    assert_eq!(scene.verdict(json!({ "exp": 0 })), Err(Refused::Expired));
    #[allow(clippy::cast_precision_loss, reason = "seconds")]
    let with_fraction = now() as f64 + 9.7;
    assert!(scene.verdict(json!({ "exp": with_fraction })).unwrap().expires_at <= now() + 9);
    for none in [Value::Null, json!("soon"), json!((now() + 300).to_string()), json!(-1), json!(1e300)] {
        assert_eq!(scene.verdict(json!({ "exp": none })), Err(Refused::NoExpiry), "{none}");
    }
    assert_eq!(scene.verdict(json!({ "exp": u64::MAX })), Err(Refused::NoExpiry));
    assert_eq!(scene.verdict(json!({ "exp": [now() + 300] })), Err(Refused::Malformed));
    assert!(scene.verdict(json!({ "nbf": now() })).is_ok());
    assert!(scene.verdict(json!({ "nbf": now() + 25 })).is_ok());
    assert_eq!(scene.verdict(json!({ "nbf": now() + 60 })), Err(Refused::NotYetValid));
    assert_eq!(scene.verdict(json!({ "nbf": "later" })), Err(Refused::NotYetValid));
}

#[test]
fn a_token_has_a_subject() {
    let scene = Scene::new();
    let longest = "\u{e4}".repeat(255);
    for good in ["a", "auth0|5f7c8ec7c33c6c004bbafe82", "ada lovelace", &longest] {
        assert_eq!(scene.verdict(json!({ "sub": good })).unwrap().subject.as_str(), good);
    }
    let longer = format!("{longest}a");
    for bad in [json!(""), json!("a\nb"), json!("\u{0}"), json!("a\u{7f}"), json!("a\u{85}b"), json!(longer)] {
        assert_eq!(scene.verdict(json!({ "sub": bad })), Err(Refused::Subject), "{bad}");
    }
    for bad in [Value::Null, json!(1), json!(true)] {
        assert_eq!(scene.verdict(json!({ "sub": bad })), Err(Refused::Subject), "{bad}");
    }
    for bad in [json!(["ada"]), json!({ "name": "ada" })] {
        assert_eq!(scene.verdict(json!({ "sub": bad })), Err(Refused::Malformed), "{bad}");
    }
}

#[test]
fn only_scopes_that_we_know_count_and_they_come_in_three_forms() {
    let scene = Scene::new();
    for (claim, value, expected) in [
        ("scope", json!("bookings:read shows:write"), "shows:write bookings:read"),
        ("scope", json!("openid  profile\tshows:write"), ""),
        ("scope", json!("SHOWS:WRITE shows:write2 shows:*"), ""),
        ("scope", json!(["shows:write"]), "shows:write"),
        ("scp", json!(["payments:read", "bookings:read"]), "bookings:read payments:read"),
        ("scp", json!("payments:settle"), "payments:settle"),
        ("permissions", json!(["bookings:confirm", "subjects:erase"]), "bookings:confirm subjects:erase"),
        ("permissions", json!([1, null, { "shows:write": true }, ["shows:write"], "payments:read"]), "payments:read"),
        ("permissions", json!({ "shows:write": true }), ""),
        ("roles", json!(["shows:write"]), ""),
    ] {
        let caller = scene.verdict(json!({ "scope": null, claim: value })).unwrap();
        assert_eq!(caller.scopes.to_string(), expected, "{claim}: {value}");
    }
    let both = json!({ "scope": "shows:write", "permissions": ["payments:read"] });
    assert_eq!(scene.verdict(both).unwrap().scopes.to_string(), "shows:write payments:read");
}

#[test]
fn what_is_no_token_is_refused() {
    let scene = Scene::new();
    let good = scene.rsa.token(&claims(json!({})));
    assert!(scene.verify(&good).is_ok());
    let (header, rest) = good.split_once('.').unwrap();
    for bad in [
        String::new(),
        ".".into(),
        "..".into(),
        "...".into(),
        "garbage".into(),
        "a.b.c".into(),
        format!("{good}.x"),
        format!(".{rest}"),
        format!("{header}=.{rest}"),
        format!("{header}.{header}"),
    ] {
        assert_eq!(scene.verify(&bad), Err(Refused::Malformed), "{bad}");
    }
    // Signed, but of no JSON that claims could be; the second says who it is of twice.
    for bad in ["", "[]", "null", r#"{"sub":"ada","sub":"eve"}"#] {
        let key = &scene.ed;
        let good = key.token(&json!({}));
        let token = assemble(&key.header().to_string(), bad, |message| key.sign(message));
        assert_ne!(token, good);
        assert_eq!(scene.verify(&token), Err(Refused::Malformed), "{bad}");
    }
}

#[test]
fn a_key_that_cannot_be_used_is_passed_over() {
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
fn keys_are_read_with_padding_and_without() {
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
fn a_set_of_keys_is_bounded_and_has_a_key() {
    let ed = SigningKey::ed("ed");
    assert_eq!(read(&vec![ed.jwk(); 64]).len(), 64);
    assert!(read(&vec![ed.jwk(); 65]).is_empty());
    for bad in ["", "[]", "{}", r#"{"keys":[]}"#, r#"{"keys":{}}"#, "<html>"] {
        assert!(key::read(bad.as_bytes()).is_err(), "{bad}");
    }
}
