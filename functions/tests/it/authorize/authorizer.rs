//! The real authorizer in a Lambda runtime, called as API Gateway calls it.

use std::time::Duration;

use boxoffice_testkit::{
    issuer::{Issuer, Key},
    lambda::{Instance, InvokeError},
    sqs::BlackHole,
};
use serde_json::{Value, json};

const AUTHORIZE: &str = env!("CARGO_BIN_EXE_authorize");
const AUDIENCE: &str = "boxoffice";
const API: &str = "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/v1";
const CREATE: (&str, &str) = ("POST", "/admin/shows");
const BOOK: (&str, &str) = ("POST", "/shows/{show_id}/bookings");

/// Starts an authorizer that trusts this issuer.
async fn start(issuer: &Issuer) -> Instance {
    Instance::start(AUTHORIZE, &[("OIDC_ISSUER", &issuer.url()), ("OIDC_AUDIENCE", AUDIENCE)]).await
}

/// The event that API Gateway sends for a call of this route with these `Authorization` headers.
fn event((method, resource): (&str, &str), authorizations: &[&str]) -> Value {
    let path = resource.replace("{show_id}", "1");
    let mut headers = json!({ "Host": "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com" });
    let mut multi = json!({ "Host": ["a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com"] });
    if let Some(last) = authorizations.last() {
        headers["Authorization"] = json!(last);
        multi["Authorization"] = json!(authorizations);
    }
    json!({
        "type": "REQUEST",
        "methodArn": format!("{API}/{method}{path}"),
        "resource": resource,
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": multi,
        "queryStringParameters": {}, "multiValueQueryStringParameters": {}, "pathParameters": {}, "stageVariables": {},
        "requestContext": { "resourcePath": resource, "httpMethod": method, "apiId": "a1b2c3d4e5", "stage": "v1" },
    })
}

fn with_token(route: (&str, &str), token: &str) -> Value {
    event(route, &[&format!("Bearer {token}")])
}

/// The routes that a policy allows, without the API's ARN.
fn allowed(answer: &Value) -> Vec<String> {
    let resources = answer["policyDocument"]["Statement"][0]["Resource"].as_array().unwrap();
    let paths = resources.iter().map(|arn| arn.as_str().unwrap().strip_prefix(&format!("{API}/")).unwrap().to_owned());
    paths.collect()
}

const OPEN: [&str; 5] =
    ["POST/shows/*/bookings", "GET/bookings/*", "HEAD/bookings/*", "DELETE/bookings/*", "POST/bookings/*/extend"];

/// Asserts the error message that API Gateway turns into 401. It must match exactly.
async fn refused(instance: &Instance, event: &Value) {
    match instance.invoke(event).await {
        Err(InvokeError::Function(error)) => assert_eq!(error["errorMessage"], "Unauthorized", "{event}"),
        other => panic!("{other:?}: {event}"),
    }
}

/// Asserts any other error message, which API Gateway turns into 5xx.
async fn unavailable(instance: &Instance, event: &Value) {
    match instance.invoke(event).await {
        Err(InvokeError::Function(error)) => {
            let message = error["errorMessage"].as_str().unwrap();
            assert!(!message.to_lowercase().contains("unauthorized") && !message.contains("127.0.0.1"), "{message}");
        }
        other => panic!("{other:?}: {event}"),
    }
}

#[tokio::test]
async fn anonymous_call_gets_open_routes_without_an_issuer_fetch() {
    let issuer = Issuer::start().await;
    let instance = start(&issuer).await;
    for _ in 0..2 {
        let answer = instance.invoke(&event(BOOK, &[])).await.unwrap();
        assert_eq!((&answer["principalId"], answer.get("context")), (&json!("anonymous"), None));
        assert_eq!(allowed(&answer), OPEN);
    }
    refused(&instance, &event(CREATE, &[])).await;
    refused(&instance, &event(("GET", "/nothing"), &[])).await;
    for header in ["", "Bearer", "Basic YTpi", "Bearer garbage", "Bearer a.b.c", "Bearer a b"] {
        refused(&instance, &event(BOOK, &[header])).await;
    }
    assert_eq!(issuer.fetches(), 0);
}

#[tokio::test]
async fn token_allows_the_routes_of_its_scopes() {
    let issuer = Issuer::start().await;
    let instance = start(&issuer).await;
    for key in [&issuer.rsa, &issuer.ec, &issuer.ed] {
        let claims = issuer.claims(AUDIENCE, "openid shows:write bookings:confirm");
        for route in [CREATE, BOOK] {
            let answer = instance.invoke(&with_token(route, &key.token(&claims))).await.unwrap();
            assert_eq!(answer["principalId"], "ada");
            let exp = claims["exp"].to_string();
            assert_eq!(answer["context"], json!({ "sub": "ada", "scope": "shows:write bookings:confirm", "exp": exp }));
            let of_scopes = ["POST/bookings/*/confirm", "POST/admin/shows", "PATCH/admin/shows/*"];
            assert_eq!(allowed(&answer), [&OPEN[..], &of_scopes].concat());
        }
    }
    // A token without any of our scopes identifies the caller and allows no further routes: the gateway answers them
    // with 403.
    let token = issuer.ed.token(&issuer.claims(AUDIENCE, "openid"));
    let answer = instance.invoke(&with_token(CREATE, &token)).await.unwrap();
    assert_eq!((&answer["context"]["scope"], allowed(&answer)), (&json!(""), OPEN.map(str::to_owned).to_vec()));
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test]
async fn bad_token_is_refused_everywhere_and_only_the_reason_is_logged() {
    let issuer = Issuer::start().await;
    let instance = start(&issuer).await;
    let good = issuer.claims(AUDIENCE, "shows:write");
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        issuer.rsa.token(&claims)
    };
    let stranger = Key::rsa("rsa", 2048).token(&good);
    for (token, reason) in [
        (with("exp", json!(1)), "Expired"),
        (with("aud", json!("other")), "Audience"),
        (with("iss", json!("https://evil.example")), "Issuer"),
        (with("nbf", json!(4_000_000_000_u64)), "NotYetValid"),
        (with("sub", json!("")), "Subject"),
        (stranger, "Signature"),
    ] {
        for route in [CREATE, BOOK] {
            refused(&instance, &with_token(route, &token)).await;
        }
        assert!(instance.logged(reason).await, "{reason}: {}", instance.stdout());
        assert!(!instance.stdout().contains(&token[..40]));
    }
    let bearer = format!("Bearer {}", issuer.rsa.token(&good));
    refused(&instance, &event(CREATE, &[&bearer, &bearer])).await;
    assert!(instance.logged("SeveralHeaders").await);
    assert!(instance.logged(r#""TokenRefused":1"#).await);
    assert!(instance.invoke(&event(CREATE, &[&bearer])).await.is_ok());
    assert!(!instance.stdout().contains("ada"), "{}", instance.stdout());
    assert_eq!(issuer.fetches(), 1);
}

/// An unknown key id causes one fetch of the keys, not one for each token.
#[tokio::test]
async fn unknown_key_ids_cause_no_extra_fetches() {
    let issuer = Issuer::start().await;
    let instance = start(&issuer).await;
    let new = Key::ed("new");
    let token = new.token(&issuer.claims(AUDIENCE, "shows:write"));
    for _ in 0..10 {
        refused(&instance, &with_token(CREATE, &token)).await;
    }
    assert_eq!(issuer.fetches(), 1);
    issuer.publish(&[new.jwk()]);
    // The keys were fetched less than 30 s ago, so this instance does not fetch them again. A new instance does.
    refused(&instance, &with_token(CREATE, &token)).await;
    assert_eq!(issuer.fetches(), 1);
    let later = start(&issuer).await;
    assert!(later.invoke(&with_token(CREATE, &token)).await.is_ok());
    refused(&later, &with_token(CREATE, &issuer.ed.token(&issuer.claims(AUDIENCE, "shows:write")))).await;
}

#[tokio::test]
async fn unreachable_issuer_is_a_server_error() {
    let issuer = Issuer::start().await;
    issuer.fail();
    let instance = start(&issuer).await;
    let good = with_token(CREATE, &issuer.ed.token(&issuer.claims(AUDIENCE, "shows:write")));
    unavailable(&instance, &good).await;
    assert!(instance.logged(r#""IssuerUnreachable":1"#).await);
    // Calls that need no keys are answered as usual.
    assert!(instance.invoke(&event(BOOK, &[])).await.is_ok());
    refused(&instance, &with_token(CREATE, "garbage")).await;
    issuer.publish(&[issuer.ed.jwk()]);
    assert!(instance.invoke(&good).await.is_ok());
    // The keys are cached, so another outage does not matter.
    issuer.fail();
    assert!(instance.invoke(&good).await.is_ok());
}

/// The error is that the keys cannot be read, not a timeout of the function.
#[tokio::test]
async fn silent_issuer_is_reported_before_the_function_times_out() {
    let (issuer, silent) = (Issuer::start().await, BlackHole::start().await);
    let builder = Instance::builder(AUTHORIZE)
        .env("OIDC_ISSUER", silent.endpoint())
        .env("OIDC_AUDIENCE", AUDIENCE)
        .timeout(Duration::from_millis(1500));
    let instance = builder.start().await;
    instance.ready().await.unwrap();
    unavailable(&instance, &with_token(CREATE, &issuer.ed.token(&issuer.claims(AUDIENCE, "shows:write")))).await;
}

#[tokio::test]
async fn without_an_issuer_every_token_is_refused() {
    let issuer = Issuer::start().await;
    let instance = Instance::start(AUTHORIZE, &[("OIDC_ISSUER", ""), ("OIDC_AUDIENCE", "")]).await;
    refused(&instance, &with_token(BOOK, &issuer.ed.token(&issuer.claims(AUDIENCE, "shows:write")))).await;
    refused(&instance, &event(CREATE, &[])).await;
    assert!(instance.invoke(&event(BOOK, &[])).await.is_ok());
    assert_eq!(issuer.fetches(), 0);
}

#[tokio::test]
async fn incomplete_issuer_settings_fail_the_start() {
    for (name, value, said) in [
        ("OIDC_ISSUER", "https://id.example", "OIDC_AUDIENCE must be set"),
        ("OIDC_AUDIENCE", "boxoffice", "OIDC_ISSUER must be set"),
        ("OIDC_ISSUER", "http://id.example", "OIDC_"),
    ] {
        let instance = Instance::start(AUTHORIZE, &[(name, value)]).await;
        assert!(matches!(instance.ready().await, Err(InvokeError::Exited { .. })), "{name}={value}");
        assert!(instance.logged(said).await, "{}", instance.stdout());
    }
}

#[tokio::test]
async fn event_without_a_valid_method_arn_gets_no_policy() {
    let issuer = Issuer::start().await;
    let instance = start(&issuer).await;
    let mut wild = event(BOOK, &[]);
    wild["methodArn"] = json!("arn:aws:execute-api:eu-west-1:123456789012:*/v1/POST/shows/1/bookings");
    unavailable(&instance, &wild).await;
    unavailable(&instance, &json!({})).await;
}
