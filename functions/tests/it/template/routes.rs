//! The table of routes against the template, which is what API Gateway does, and against the contract.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use boxoffice_functions::access::{Access, Query, ROUTES, Scope, Scopes, access, methods};
use serde_json::{Value, json};

fn read(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// The authorizer of each route in the template: its name, or `None`.
fn authorizers() -> BTreeMap<(String, String), Option<String>> {
    let template = read("template.yaml");
    let resources = template["Resources"].as_object().unwrap().values();
    let events =
        resources.filter_map(|resource| resource["Properties"]["Events"].as_object()).flat_map(|map| map.values());
    let routes = events.filter(|event| event["Type"] == "Api").map(|event| {
        let properties = &event["Properties"];
        let text = |name: &str| properties[name].as_str().unwrap().to_owned();
        let authorizer = properties["Auth"]["Authorizer"].as_str().map(str::to_owned);
        ((text("Method"), text("Path")), authorizer)
    });
    routes.collect()
}

#[test]
fn the_template_asks_the_authorizer_that_the_table_says() {
    let asked = authorizers();
    let mut expected_routes = BTreeSet::new();
    for route in &ROUTES {
        let authorizer = asked.get(&(route.method.to_owned(), route.resource.to_owned()));
        let authorizer =
            authorizer.unwrap_or_else(|| panic!("{} {} is not in the template", route.method, route.resource));
        let expected = match route.access {
            Access::Public => None,
            Access::Open => Some("Optional"),
            Access::Needs(_) => Some("Required"),
        };
        assert_eq!(authorizer.as_deref(), expected, "{} {}", route.method, route.resource);
        let key = |method: &str| (method.to_owned(), route.resource.to_owned());
        if route.method == "GET" {
            assert_eq!(asked.get(&key("HEAD")).unwrap().as_deref(), expected, "HEAD {}", route.resource);
            expected_routes.insert(key("HEAD"));
        }
        // Other methods reach a function without a token: 405 is the answer for everybody.
        assert_eq!(asked.get(&key("ANY")), Some(&None), "ANY {}", route.resource);
        expected_routes.extend([key(route.method), key("ANY")]);
    }
    assert_eq!(asked.into_keys().collect::<BTreeSet<_>>(), expected_routes);
}

/// Whoever floods what is 405 needs no token, and takes no instance from those who book, pay and operate. `HEAD` costs what `GET`
/// does, where it does.
#[test]
fn what_is_405_leads_to_list_shows_and_head_where_get_does() {
    let template = read("template.yaml");
    let mut functions = BTreeMap::new();
    for (function, resource) in template["Resources"].as_object().unwrap() {
        for event in resource["Properties"]["Events"].as_object().into_iter().flat_map(|events| events.values()) {
            let (method, path) = (&event["Properties"]["Method"], &event["Properties"]["Path"]);
            let known = functions.insert((method.to_string(), path.to_string()), function);
            assert!(known.is_none() || event["Type"] != "Api", "{method} {path} is there twice");
        }
    }
    let function = |method: &str, path: &str| functions[&(json!(method).to_string(), json!(path).to_string())];
    for route in &ROUTES {
        assert_eq!(function("ANY", route.resource), "ListShows", "{}", route.resource);
        if route.method == "GET" {
            assert_eq!(function("HEAD", route.resource), function("GET", route.resource), "{}", route.resource);
        }
    }
}

#[test]
fn each_operation_of_the_contract_takes_the_query_that_its_row_says() {
    let contract = read("openapi.yaml");
    for route in &ROUTES {
        let item = &contract["paths"][route.resource];
        let operation = &item[route.method.to_lowercase()];
        let parameters = [&item["parameters"], &operation["parameters"]];
        let parameters = parameters.into_iter().filter_map(Value::as_array).flatten();
        let query: BTreeSet<_> =
            parameters.filter(|p| p["in"] == "query").map(|p| p["name"].as_str().unwrap()).collect();
        match route.query {
            Query::Any => assert!(route.resource.starts_with("/webhooks/") && query.is_empty(), "{}", route.resource),
            Query::Only(names) => {
                assert_eq!(query, names.iter().copied().collect(), "{} {}", route.method, route.resource);
                assert!(operation["responses"]["400"].is_object(), "{} {}", route.method, route.resource);
            }
        }
    }
}

#[test]
fn only_the_partners_route_asks_for_an_api_key() {
    let template = read("template.yaml");
    let resources = template["Resources"].as_object().unwrap().values();
    let events =
        resources.filter_map(|resource| resource["Properties"]["Events"].as_object()).flat_map(|map| map.values());
    let with_key = events.filter(|event| event["Properties"]["Auth"]["ApiKeyRequired"] == true);
    let paths: Vec<_> = with_key.map(|event| event["Properties"]["Path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["/partner/shows/{show_id}/bookings"]);
}

#[test]
fn the_authorizers_are_kept_as_the_policies_allow() {
    let template = read("template.yaml");
    let authorizers = &template["Resources"]["Api"]["Properties"]["Auth"]["Authorizers"];
    let identity = |name: &str| authorizers[name]["Identity"].clone();
    assert_eq!(identity("Required"), json!({ "Headers": ["Authorization"], "ReauthorizeEvery": 300 }));
    assert_eq!(identity("Optional"), json!({ "ReauthorizeEvery": 0 }));
    assert_eq!(authorizers.as_object().unwrap().len(), 2);
}

#[test]
fn each_operation_of_the_contract_says_what_its_row_says() {
    let contract = read("openapi.yaml");
    let paths = contract["paths"].as_object().unwrap().iter();
    let operations = paths.flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().iter().filter(|(_, operation)| operation["responses"].is_object());
        methods.map(move |(method, operation)| (method.to_uppercase(), path, operation))
    });
    for (method, path, operation) in operations {
        let access = access(&method, path).unwrap_or_else(|| panic!("{method} {path} has no row"));
        let expected = match access {
            Access::Public => continue,
            Access::Open => json!([{}, { "token": [] }]),
            Access::Needs(scope) => json!([{ "token": [scope.as_str()] }]),
        };
        assert_eq!(operation["security"], expected, "{method} {path}");
        for refusal in ["401", "403"] {
            assert!(operation["responses"][refusal].is_object(), "{method} {path} {refusal}");
        }
    }
}

#[test]
fn a_route_that_is_not_there_is_nobodys() {
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
    let distinct: BTreeSet<_> = ROUTES.iter().map(|route| (route.method, route.resource)).collect();
    assert_eq!(distinct.len(), ROUTES.len());
}

/// Whatever an operator may do needs a scope, and what nobody asks a token for is as it was.
#[test]
fn what_operators_do_needs_a_scope() {
    for route in &ROUTES {
        let operators = route.resource.starts_with("/admin/") || route.resource.ends_with("/confirm");
        assert_eq!(matches!(route.access, Access::Needs(_)), operators, "{} {}", route.method, route.resource);
    }
}

#[test]
fn scopes_are_read_as_they_are_written() {
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

/// A flood of one costly route must not take the stage's whole rate from the others.
#[test]
fn every_route_that_writes_has_a_throttle_of_its_own() {
    let template = read("template.yaml");
    let settings = template["Resources"]["Api"]["Properties"]["MethodSettings"].as_array().unwrap();
    let bounded = |setting: &&Value| {
        ["ThrottlingRateLimit", "ThrottlingBurstLimit"]
            .iter()
            .all(|name| setting[name].is_string() || setting[name].is_number())
    };
    let throttled: BTreeSet<_> = settings
        .iter()
        .filter(bounded)
        .map(|setting| {
            let path = setting["ResourcePath"].as_str().unwrap().replacen('/', "", 1).replace("~1", "/");
            (setting["HttpMethod"].as_str().unwrap().to_owned(), path)
        })
        .collect();
    assert!(throttled.contains(&("*".to_owned(), "*".to_owned())), "the stage: {throttled:?}");
    let costly =
        |route: &&boxoffice_functions::access::Route| route.method != "GET" || route.resource.starts_with("/admin/");
    for route in ROUTES.iter().filter(costly) {
        let head = if route.method == "GET" { Some("HEAD") } else { None };
        for method in head.into_iter().chain([route.method]) {
            let key = (method.to_owned(), route.resource.to_owned());
            assert!(throttled.contains(&key), "{method} {}", route.resource);
        }
    }
}

/// The other way round: no route is there that the contract does not tell of.
#[test]
fn each_row_is_an_operation_of_the_contract() {
    let contract = read("openapi.yaml");
    let is_described =
        |method: &str, path: &str| contract["paths"][path][method.to_lowercase()]["responses"].is_object();
    let missing = ROUTES.iter().filter(|route| !is_described(route.method, route.resource));
    let missing: Vec<_> = missing.map(|route| route.resource).collect();
    assert_eq!(missing, Vec::<&str>::new());
}

/// A key that the deployment names opens secrets, and by Secrets Manager only.
#[test]
fn the_roles_may_decrypt_with_the_named_keys_and_by_secrets_manager_only() {
    let template = read("template.yaml");
    let text = template["Resources"].to_string();
    assert_eq!(
        text.matches("kms:Decrypt").count(),
        1,
        "one statement, in the policy that every role with a database has"
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

/// Else the gateway hands a body over as text, in which what is no UTF-8 was replaced.
#[test]
fn every_body_comes_as_it_was_sent() {
    let template = read("template.yaml");
    assert_eq!(template["Resources"]["Api"]["Properties"]["BinaryMediaTypes"], json!(["*/*"]));
}
