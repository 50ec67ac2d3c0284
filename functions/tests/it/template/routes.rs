//! The table of routes matches the template, which configures API Gateway, and the contract.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use boxoffice_functions::{
    access::{Access, Scope, Scopes},
    routes::{Query, ROUTES, Route, Throttle, find, methods},
};
use serde_json::{Value, json};

fn read(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// The template's methods and paths, each with its binary and its authorizer.
fn in_template() -> BTreeMap<(String, String), (String, Value)> {
    let template = read("template.yaml");
    let mut routes = BTreeMap::new();
    for resource in template["Resources"].as_object().unwrap().values() {
        let events = resource["Properties"]["Events"].as_object().into_iter().flat_map(|events| events.values());
        for event in events.filter(|event| event["Type"] == "Api") {
            let text = |name: &str| event["Properties"][name].as_str().unwrap().to_owned();
            let binary = resource["Metadata"]["BuildProperties"]["Binary"].as_str().unwrap().to_owned();
            let known = routes.insert((text("Method"), text("Path")), (binary, event["Properties"]["Auth"].clone()));
            assert_eq!(known, None, "{} {} is defined twice", text("Method"), text("Path"));
        }
    }
    routes
}

/// Unsupported methods go to list-shows, which answers 405 without a token. A flood of them then takes no instances
/// from booking, payment and operator routes.
#[test]
fn template_sends_each_route_to_its_lambda_behind_its_authorizer() {
    let mut expected = BTreeMap::new();
    for route in ROUTES {
        let guard = match route.access {
            Access::Public | Access::Webhook => Value::Null,
            Access::PartnerKey => json!({ "ApiKeyRequired": true }),
            Access::OptionalToken => json!({ "Authorizer": "Optional" }),
            Access::Needs(_) => json!({ "Authorizer": "Required" }),
        };
        for method in route.methods() {
            expected.insert((method.into(), route.path.into()), (route.lambda.name().into(), guard.clone()));
        }
        expected.insert(("ANY".into(), route.path.into()), ("list-shows".into(), Value::Null));
    }
    assert_eq!(in_template(), expected);
}

#[test]
fn contract_query_parameters_match_the_routes() {
    let contract = read("openapi.yaml");
    for route in ROUTES {
        let item = &contract["paths"][route.path];
        let operation = &item[route.method.to_lowercase()];
        let parameters = [&item["parameters"], &operation["parameters"]];
        let parameters = parameters.into_iter().filter_map(Value::as_array).flatten();
        let query: BTreeSet<_> =
            parameters.filter(|p| p["in"] == "query").map(|p| p["name"].as_str().unwrap()).collect();
        match route.query() {
            Query::Any => assert!(route.path.starts_with("/webhooks/") && query.is_empty(), "{}", route.path),
            Query::Only(names) => {
                assert_eq!(query, names.iter().copied().collect(), "{} {}", route.method, route.path);
                assert!(operation["responses"]["400"].is_object(), "{} {}", route.method, route.path);
            }
        }
    }
}

#[test]
fn authorizer_results_are_cached_as_the_policies_allow() {
    let template = read("template.yaml");
    let authorizers = &template["Resources"]["Api"]["Properties"]["Auth"]["Authorizers"];
    let identity = |name: &str| authorizers[name]["Identity"].clone();
    assert_eq!(identity("Required"), json!({ "Headers": ["Authorization"], "ReauthorizeEvery": 300 }));
    assert_eq!(identity("Optional"), json!({ "ReauthorizeEvery": 0 }));
    assert_eq!(authorizers.as_object().unwrap().len(), 2);
}

#[test]
fn contract_operations_match_the_routes() {
    let contract = read("openapi.yaml");
    let paths = contract["paths"].as_object().unwrap().iter();
    let operations = paths.flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().iter().filter(|(_, operation)| operation["responses"].is_object());
        methods.map(move |(method, operation)| (method.to_uppercase(), path, operation))
    });
    for (method, path, operation) in operations {
        let route = find(&method, path).unwrap_or_else(|| panic!("{method} {path} has no row"));
        let (first, rest) = operation["operationId"].as_str().unwrap().split_at(1);
        assert_eq!(format!("{}{rest}", first.to_uppercase()), format!("{:?}", route.operation));
        let expected = match route.access {
            Access::Public | Access::Webhook | Access::PartnerKey => continue,
            Access::OptionalToken => json!([{}, { "token": [] }]),
            Access::Needs(scope) => json!([{ "token": [scope.as_str()] }]),
        };
        assert_eq!(operation["security"], expected, "{method} {path}");
        for refusal in ["401", "403"] {
            assert!(operation["responses"][refusal].is_object(), "{method} {path} {refusal}");
        }
    }
}

#[test]
fn unknown_route_is_not_found() {
    let access = |method: &str, path: &str| find(method, path).map(|route| route.access);
    assert_eq!(access("GET", "/shows"), Some(Access::Public));
    assert_eq!(access("POST", "/admin/shows"), Some(Access::Needs(Scope::ShowsWrite)));
    for (method, resource) in
        [("get", "/shows"), ("GET", "/shows/"), ("GET", "/shows/1"), ("DELETE", "/admin/shows"), ("", "")]
    {
        assert_eq!(access(method, resource), None, "{method} {resource}");
    }
    assert_eq!(access("HEAD", "/shows"), Some(Access::Public));
    assert_eq!(methods("/bookings/{booking_id}"), ["GET", "HEAD", "DELETE"]);
    assert_eq!(methods("/bookings"), Vec::<&str>::new());
    let distinct: BTreeSet<_> = ROUTES.iter().map(|route| (route.method, route.path)).collect();
    assert_eq!(distinct.len(), ROUTES.len());
}

/// Every operator route needs a scope. Webhook and partner routes have their own access rules.
#[test]
fn operator_routes_need_a_scope() {
    for route in ROUTES {
        let operators = route.path.starts_with("/admin/") || route.path.ends_with("/confirm");
        assert_eq!(matches!(route.access, Access::Needs(_)), operators, "{} {}", route.method, route.path);
        assert_eq!(route.access == Access::Webhook, route.path.starts_with("/webhooks/"), "{}", route.path);
        assert_eq!(route.access == Access::PartnerKey, route.path.starts_with("/partner/"), "{}", route.path);
    }
}

#[test]
fn scopes_round_trip() {
    for scope in Scope::ALL {
        let scopes = Scopes::read(scope.as_str());
        assert!(scopes.contains(scope));
        assert_eq!(Scope::ALL.into_iter().filter(|other| scopes.contains(*other)).count(), 1, "{}", scope.as_str());
        assert_eq!(scopes.to_string(), scope.as_str());
    }
    let all = Scope::ALL.map(Scope::as_str).join(" ");
    assert_eq!(Scopes::read(&all).to_string(), all);
    assert_eq!(Scopes::read("shows:write,bookings:read Shows:write  "), Scopes::default());
}

/// A flood of one costly route must not use up the stage's rate for the others.
#[test]
fn each_route_has_the_throttle_of_its_class() {
    let template = read("template.yaml");
    let settings = template["Resources"]["Api"]["Properties"]["MethodSettings"].as_array().unwrap();
    let limits = |throttle: &str| json!([format!("{throttle}ThrottleRate"), format!("{throttle}ThrottleBurst")]);
    let mut expected = BTreeMap::from([(("*".to_owned(), "/*".to_owned()), limits("Stage"))]);
    for route in ROUTES.iter().filter(|route| route.throttle != Throttle::Stage) {
        for method in route.methods() {
            // Method settings encode a slash as "~1".
            let path = format!("/{}", route.path.replace('/', "~1"));
            expected.insert((method.to_owned(), path), limits(&format!("{:?}", route.throttle)));
        }
    }
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let is = settings.iter().map(|setting| {
        let limits = json!([setting["ThrottlingRateLimit"], setting["ThrottlingBurstLimit"]]);
        ((text(&setting["HttpMethod"]), text(&setting["ResourcePath"])), limits)
    });
    assert_eq!(is.collect::<BTreeMap<_, _>>(), expected);
    assert!(settings.iter().all(|setting| setting["MetricsEnabled"] == true));
    let costly = |route: &&Route| route.method != "GET" || route.path.starts_with("/admin/");
    for route in ROUTES.iter().filter(costly) {
        assert_ne!(route.throttle, Throttle::Stage, "{:?}", route.operation);
    }
}

/// The reverse check: the contract describes every route.
#[test]
fn every_route_is_in_the_contract() {
    let contract = read("openapi.yaml");
    let is_described =
        |method: &str, path: &str| contract["paths"][path][method.to_lowercase()]["responses"].is_object();
    let missing = ROUTES.iter().filter(|route| !is_described(route.method, route.path));
    let missing: Vec<_> = missing.map(|route| route.path).collect();
    assert_eq!(missing, Vec::<&str>::new());
}

/// Roles may decrypt only with the keys that the deployment names, and only through Secrets Manager.
#[test]
fn roles_may_decrypt_only_with_named_keys_through_secrets_manager() {
    let template = read("template.yaml");
    let text = template["Resources"].to_string();
    assert_eq!(
        text.matches("kms:Decrypt").count(),
        1,
        "only one statement, in the policy of every role that uses the database"
    );
    let statements =
        template["Resources"]["FunctionBasics"]["Properties"]["PolicyDocument"]["Statement"].as_array().unwrap();
    let statements = statements.iter().filter(|statement| statement[0] == "HasSecretsKeys");
    let decrypt: Vec<_> = statements.map(|statement| &statement[1]).collect();
    let expected = json!({
        "Sid": "SecretsKeys", "Effect": "Allow", "Action": "kms:Decrypt", "Resource": "SecretsKeyArns",
        "Condition": { "StringLike": { "kms:ViaService": "secretsmanager.*.amazonaws.com*" } },
    });
    assert_eq!(decrypt, [&expected]);
}

/// Otherwise the gateway passes a body as text and replaces invalid UTF-8.
#[test]
fn gateway_passes_bodies_on_as_raw_bytes() {
    let template = read("template.yaml");
    assert_eq!(template["Resources"]["Api"]["Properties"]["BinaryMediaTypes"], json!(["*/*"]));
}
