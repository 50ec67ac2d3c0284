//! Responses that API Gateway and the web ACL generate themselves are problem documents too.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::{Value, json};

/// Every gateway response type of a REST API, and the default that applies if the template does not define it:
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html>.
const TYPES: [(&str, &str); 21] = [
    ("ACCESS_DENIED", "DEFAULT_4XX"),
    ("API_CONFIGURATION_ERROR", "DEFAULT_5XX"),
    ("AUTHORIZER_CONFIGURATION_ERROR", "DEFAULT_5XX"),
    ("AUTHORIZER_FAILURE", "DEFAULT_5XX"),
    ("BAD_REQUEST_BODY", "DEFAULT_4XX"),
    ("BAD_REQUEST_PARAMETERS", "DEFAULT_4XX"),
    ("DEFAULT_4XX", "DEFAULT_4XX"),
    ("DEFAULT_5XX", "DEFAULT_5XX"),
    ("EXPIRED_TOKEN", "DEFAULT_4XX"),
    ("INTEGRATION_FAILURE", "DEFAULT_5XX"),
    ("INTEGRATION_TIMEOUT", "DEFAULT_5XX"),
    ("INVALID_API_KEY", "DEFAULT_4XX"),
    ("INVALID_SIGNATURE", "DEFAULT_4XX"),
    ("MISSING_AUTHENTICATION_TOKEN", "DEFAULT_4XX"),
    ("QUOTA_EXCEEDED", "DEFAULT_4XX"),
    ("REQUEST_TOO_LARGE", "DEFAULT_4XX"),
    ("RESOURCE_NOT_FOUND", "DEFAULT_4XX"),
    ("THROTTLED", "DEFAULT_4XX"),
    ("UNAUTHORIZED", "DEFAULT_4XX"),
    ("UNSUPPORTED_MEDIA_TYPE", "DEFAULT_4XX"),
    ("WAF_FILTERED", "DEFAULT_4XX"),
];

/// The gateway's default status of the response types that clients act on.
const MEANINGS: [(&str, u64); 9] = [
    ("BAD_REQUEST_BODY", 400),
    ("BAD_REQUEST_PARAMETERS", 400),
    ("UNAUTHORIZED", 401),
    ("WAF_FILTERED", 403),
    ("RESOURCE_NOT_FOUND", 404),
    ("REQUEST_TOO_LARGE", 413),
    ("UNSUPPORTED_MEDIA_TYPE", 415),
    ("THROTTLED", 429),
    ("INTEGRATION_TIMEOUT", 503),
];

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)).unwrap()
}

fn template() -> Value {
    serde_saphyr::from_str(&read("template.yaml")).unwrap()
}

/// The problem types in the contract's table, with their status.
fn contract() -> BTreeMap<String, u64> {
    let contract: Value = serde_saphyr::from_str(&read("openapi.yaml")).unwrap();
    let table = contract["components"]["schemas"]["Problem"]["description"].as_str().unwrap().to_owned();
    let rows = table.lines().filter_map(|line| {
        let (names, status) = line.strip_prefix("| ")?.strip_suffix(" |")?.rsplit_once(" | ")?;
        Some((names, status.parse().ok()?))
    });
    let names = rows.flat_map(|(names, status): (&str, u64)| {
        let words: Vec<_> = names.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        words.into_iter().map(move |word| (word, status))
    });
    names.collect()
}

/// Asserts that a document is a problem document of this status and of a type in the contract.
#[track_caller]
fn is_problem(what: &str, text: &str, status: u64) {
    let document: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{what}: {error}: {text}"));
    let members: Vec<_> = document.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["detail", "status", "title", "type"], "{what}");
    assert_eq!(document["status"], status, "{what}");
    let name = document["type"].as_str().unwrap().strip_prefix("https://boxoffice.example/problems/").unwrap();
    assert_eq!(contract().get(name), Some(&status), "{what}: {name}");
    for member in ["title", "detail"] {
        assert!(!document[member].as_str().unwrap().is_empty(), "{what}");
    }
}

fn status(response: &Value) -> u64 {
    response["StatusCode"].as_u64().expect("a response needs its own status to repeat it in its document")
}

#[test]
fn every_gateway_response_is_a_problem_document() {
    let template = template();
    let responses = &template["Resources"]["Api"]["Properties"]["GatewayResponses"];
    for name in responses.as_object().unwrap().keys() {
        assert!(TYPES.iter().any(|(known, _)| known == name), "{name} is not a gateway response type");
    }
    for (name, default) in TYPES {
        let response = if responses[name].is_null() { &responses[default] } else { &responses[name] };
        let templates = response["ResponseTemplates"].as_object().unwrap();
        assert_eq!(templates.keys().collect::<Vec<_>>(), ["application/json"], "{name}: the gateway supports no other");
        is_problem(name, templates["application/json"].as_str().unwrap(), status(response));
        let headers = &response["ResponseParameters"]["Headers"];
        assert_eq!(headers["Content-Type"], "'application/problem+json'", "{name}");
        assert_eq!(headers["Retry-After"].is_string(), matches!(status(response), 429 | 503), "{name}");
        assert_eq!(headers["WWW-Authenticate"].is_string(), status(response) == 401, "{name}");
    }
}

#[test]
fn gateway_responses_keep_their_default_status() {
    let template = template();
    let responses = &template["Resources"]["Api"]["Properties"]["GatewayResponses"];
    for (name, expected) in MEANINGS {
        let default = TYPES.iter().find(|(known, _)| *known == name).unwrap().1;
        let response = if responses[name].is_null() { &responses[default] } else { &responses[name] };
        assert_eq!(status(response), expected, "{name}");
    }
}

#[test]
fn every_web_acl_response_is_a_problem_document() {
    let template = template();
    let acl = &template["Resources"]["Waf"]["Properties"];
    let mut bodies = acl["CustomResponseBodies"].as_object().unwrap().clone();
    for rule in acl["Rules"].as_array().unwrap() {
        let custom = &rule["Action"]["Block"]["CustomResponse"];
        // Without one, the gateway answers with WAF_FILTERED.
        let Some(key) = custom["CustomResponseBodyKey"].as_str() else { continue };
        let body = bodies.remove(key).unwrap_or_else(|| panic!("{key} is not a custom response body"));
        assert_eq!(body["ContentType"], "APPLICATION_JSON");
        is_problem(key, body["Content"].as_str().unwrap(), custom["ResponseCode"].as_u64().unwrap());
        assert_eq!(custom["ResponseHeaders"], json!([{ "Name": "Retry-After", "Value": "60" }]));
    }
    assert!(bodies.is_empty(), "no rule answers with {:?}", bodies.keys());
}
