//! Tests of policies, which are read as API Gateway reads them.
#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::{Value, json};

use super::*;
use crate::access::Scope;

const STAGE: &str = "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/v1";

/// Path parameters that make one route look like another.
const PARAMETERS: [&str; 10] =
    ["1", "x", "*", "..", "admin", "1/bookings", "x/confirm", "x/extend", "../admin/shows", "%2Fextend"];

/// `*` matches any characters, also slashes.
fn matches(pattern: &str, arn: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == arn,
        Some((start, rest)) => arn
            .strip_prefix(start)
            .is_some_and(|tail| (0..=tail.len()).any(|at| tail.is_char_boundary(at) && matches(rest, &tail[at..]))),
    }
}

fn document(scopes: Scopes) -> Value {
    let caller = Principal { subject: "ada".try_into().unwrap(), scopes, expires_at: 4_102_444_800 };
    serde_json::to_value(Answer::new(Some(caller), STAGE)).unwrap()
}

fn allows(document: &Value, arn: &str) -> bool {
    let resources = document["policyDocument"]["Statement"][0]["Resource"].as_array().unwrap();
    resources.iter().any(|pattern| matches(pattern.as_str().unwrap(), arn))
}

/// The ARN of a call, with this value for each parameter.
fn arn(route: &Route, parameter: &str) -> String {
    let segments = route.path.split('/').map(|part| if part.starts_with('{') { parameter } else { part });
    format!("{STAGE}/{}{}", route.method, segments.collect::<Vec<_>>().join("/"))
}

/// All sets of scopes.
fn sets() -> impl Iterator<Item = Scopes> {
    (0_u8..1 << Scope::ALL.len()).map(|set| {
        let chosen = Scope::ALL.into_iter().enumerate().filter(move |(place, _)| set & (1 << place) != 0);
        chosen.fold(Scopes::default(), |scopes, (_, scope)| scopes.with(scope.as_str()))
    })
}

/// API Gateway caches a policy for every route that the same token calls.
#[test]
fn a_policy_allows_the_routes_of_its_scopes_and_no_others() {
    for scopes in sets() {
        let document = document(scopes);
        for route in ROUTES {
            let expected = match route.access {
                // No authorizer is asked about it.
                Access::Public | Access::Webhook | Access::PartnerKey => continue,
                Access::OptionalToken => true,
                Access::Needs(scope) => scopes.contains(scope),
            };
            for parameter in PARAMETERS {
                let arn = arn(route, parameter);
                assert_eq!(allows(&document, &arn), expected, "{scopes}: {arn}");
                if route.method == "GET" {
                    let head = arn.replacen("/GET/", "/HEAD/", 1);
                    assert_eq!(allows(&document, &head), expected, "{scopes}: {head}");
                }
            }
        }
    }
}

#[test]
fn a_policy_is_for_this_stage_of_this_api_and_for_these_methods() {
    let document = document(Scope::ALL.into_iter().fold(Scopes::default(), |all, scope| all.with(scope.as_str())));
    for arn in [
        "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/v2/POST/admin/shows",
        "arn:aws:execute-api:eu-west-1:123456789012:other/v1/POST/admin/shows",
        "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/v1/DELETE/admin/shows",
        "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/v1/POST/admin",
        "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/v1/POST/admin/shows/",
        "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/v1/GET/admin/anything",
    ] {
        assert!(!allows(&document, arn), "{arn}");
    }
}

#[test]
fn the_functions_get_the_caller_as_text() {
    let scopes = Scopes::read("shows:write payments:read");
    let document = document(scopes);
    assert_eq!(document["principalId"], "ada");
    assert_eq!(document["context"], json!({ "sub": "ada", "scope": "shows:write payments:read", "exp": "4102444800" }));
    let statement = &document["policyDocument"]["Statement"][0];
    assert_eq!((&statement["Effect"], &statement["Action"]), (&json!("Allow"), &json!("execute-api:Invoke")));
    let anonymous = serde_json::to_value(Answer::new(None, STAGE)).unwrap();
    assert_eq!(anonymous["principalId"], "anonymous");
    assert!(anonymous.get("context").is_none());
}

#[test]
fn the_stage_is_read_from_an_arn_of_a_method() {
    assert_eq!(stage(&format!("{STAGE}/POST/shows/1/bookings")), Some(STAGE));
    assert_eq!(stage(&format!("{STAGE}/GET/")), Some(STAGE));
    for bad in [
        "",
        "x",
        STAGE,
        "arn:aws:lambda:eu-west-1:123456789012:function/v1/GET/shows",
        "arn:aws:execute-api:eu-west-1:123456789012:/v1/GET/shows",
        "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5//GET/shows",
        "arn:aws:execute-api:eu-west-1:123456789012:*/v1/GET/shows",
        "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/*/GET/shows",
    ] {
        assert_eq!(stage(bad), None, "{bad}");
    }
}
