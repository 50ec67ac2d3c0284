//! Claims.

use super::*;

#[test]
fn a_token_of_another_issuer_is_refused() {
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
fn a_token_for_another_audience_is_refused() {
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
fn a_cognito_access_token_is_accepted_by_its_client() {
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
fn a_scope_prefix_must_be_configured() {
    let scope = json!({ "scope": "boxoffice/shows:write https://api.example/shows:write" });
    assert_eq!(Scene::new().verdict(scope).unwrap().scopes.to_string(), "");
}

#[test]
fn the_times_of_a_token_have_half_a_minute_of_leeway() {
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
fn a_token_must_have_a_subject() {
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
fn known_scopes_are_read_from_three_claims() {
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
fn a_malformed_token_is_refused() {
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
