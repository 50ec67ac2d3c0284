//! Access rules, enforced by the gateway and its authorizer.

use boxoffice_e2e::{
    api::{Answer, Api, Call},
    token::{claims, key, mint},
    unique,
};
use boxoffice_testkit::issuer::Key;
use serde_json::json;

fn new_show() -> String {
    json!({ "name": unique("show"), "start_time": "2030-05-01T18:30:00Z", "total_seats": 3 }).to_string()
}

fn create() -> Call {
    Call::new("POST", "/admin/shows").json(new_show())
}

/// Invalid tokens, each with what is wrong with it.
fn bad_tokens() -> Vec<(&'static str, String)> {
    let with = |name: &str, value: serde_json::Value| {
        let mut claims = claims("operator", "shows:write bookings:confirm");
        claims[name] = value;
        key().token(&claims)
    };
    let good = mint("operator", "shows:write bookings:confirm");
    let (message, _) = good.rsplit_once('.').unwrap();
    vec![
        ("garbage", "garbage".to_owned()),
        ("unsigned", format!("{message}.")),
        ("expired", with("exp", json!(1_700_000_000))),
        ("another audience", with("aud", json!("other"))),
        ("another issuer", with("iss", json!("https://evil.example"))),
        ("another key", Key::rsa("other", 2048).token(&claims("operator", "shows:write"))),
    ]
}

fn is_401(answer: &Answer) {
    answer.problem(401, "unauthorized");
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
}

#[tokio::test]
async fn operator_routes_need_a_valid_token_with_the_scope() {
    let api = Api::connect();
    is_401(&api.send(create().anonymous()).await);
    for (what, token) in bad_tokens() {
        let answer = api.send(create().token(&token)).await;
        assert_eq!(answer.status(), 401, "{what}");
        is_401(&answer);
    }
    for scope in ["", "openid", "bookings:read bookings:confirm payments:read payments:settle subjects:erase"] {
        api.send(create().token(&mint("operator", scope))).await.problem(403, "forbidden");
    }
    // The gateway caches one policy per token. It must hold for every route, whichever is called first.
    let token = mint("operator", "shows:write");
    api.send(create().token(&token)).await.expect(201);
    let payments = Call::new("GET", "/admin/payments");
    api.send(payments.clone().token(&token)).await.problem(403, "forbidden");
    api.send(create().token(&token)).await.expect(201);
    let reader = mint("operator", "payments:read");
    api.send(payments.token(&reader)).await.expect(200);
    api.send(create().token(&reader)).await.problem(403, "forbidden");
}

#[tokio::test]
async fn only_operators_can_confirm() {
    let api = Api::connect();
    let show_id = api.create_show(3).await;
    let booking = api.book(show_id, 1).await;
    let path = format!("{}/confirm", booking.location());
    is_401(&api.send(Call::new("POST", &path).anonymous()).await);
    api.send(Call::new("POST", &path).token(&mint("ada", "shows:write"))).await.problem(403, "forbidden");
    api.send(Call::new("POST", &path).token(&mint("ada", "bookings:confirm"))).await.expect(200);
}

#[tokio::test]
async fn booking_needs_no_token_but_refuses_an_invalid_one() {
    let api = Api::connect();
    let show_id = api.create_show(20).await;
    let body = json!({ "user_name": "Ada", "seats": 1 }).to_string();
    let book = || Call::new("POST", &format!("/shows/{show_id}/bookings")).json(body.clone());
    let booking = api.send(book().anonymous()).await;
    let path = &booking.location();
    booking.expect(201);
    api.send(book().token(&mint("ada", ""))).await.expect(201);
    for (what, token) in bad_tokens() {
        for call in
            [book(), Call::new("GET", path), Call::new("DELETE", path), Call::new("POST", &format!("{path}/extend"))]
        {
            let answer = api.send(call.token(&token)).await;
            assert_eq!(answer.status(), 401, "{what}");
            is_401(&answer);
        }
    }
    let twice = book().token(&mint("ada", "")).header("authorization", format!("Bearer {}", mint("eve", "")));
    is_401(&api.send(twice).await);
    api.send(Call::new("GET", path)).await.expect(200);
}
