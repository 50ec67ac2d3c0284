//! Methods and query parameters that a route has, and those that it has not: every route, by the real binaries under a
//! Lambda runtime.

use std::{collections::BTreeMap, time::Duration};

use crate::common::{Answer, BOOK, operator, ready, show, webhook};
use boxoffice_functions::access::{Query, ROUTES, methods};
use boxoffice_testkit::{events::api_event, lambda::Instance, postgres::Database, sqs::FixedDelayQueue};
use serde_json::{Value, json};

struct Api(BTreeMap<&'static str, Instance>);

impl Api {
    async fn new(database: &Database) -> Self {
        let queue = FixedDelayQueue::start(Duration::ZERO).await;
        let mut instances = BTreeMap::new();
        for binary in [env!("CARGO_BIN_EXE_list-shows"), env!("CARGO_BIN_EXE_manage-shows"), BOOK, webhook::CONFIRM] {
            let builder = Instance::builder(binary).env("DATABASE_URL", database.url());
            let builder = builder.env("AWS_ENDPOINT_URL", queue.endpoint()).env("HOLD_QUEUE_URL", queue.queue_url());
            let builder = builder.env("PAYMENTS_QUEUE_URL", queue.queue_url());
            let builder = builder.env("STRIPE_WEBHOOK_SECRETS", webhook::STRIPE_SECRET);
            instances.insert(binary, ready(builder.env("STANDARD_WEBHOOK_SECRETS", webhook::STANDARD_SECRET)).await);
        }
        Self(instances)
    }

    fn function(&self, resource: &str) -> &Instance {
        let binary = match resource {
            "/shows" | "/shows/{show_id}" => env!("CARGO_BIN_EXE_list-shows"),
            "/shows/{show_id}/bookings" | "/partner/shows/{show_id}/bookings" => BOOK,
            _ if resource.starts_with("/admin/") => env!("CARGO_BIN_EXE_manage-shows"),
            _ => webhook::CONFIRM,
        };
        &self.0[binary]
    }

    async fn call(&self, method: &str, resource: &str, query: &[(&str, &str)], by: impl Fn(Value) -> Value) -> Value {
        self.function(resource).invoke(&by(event(method, resource, query))).await.unwrap()
    }
}

fn event(method: &str, resource: &str, query: &[(&str, &str)]) -> Value {
    let parameters = [
        ("show_id", "1"),
        ("booking_id", "1-019a5b7e-8f00-7abc-8def-0123456789ab"),
        ("provider", "stripe"),
        ("payment_id", "pi_1"),
        ("event_id", "evt_1"),
    ];
    let used: Vec<_> = parameters.into_iter().filter(|(name, _)| resource.contains(&format!("{{{name}}}"))).collect();
    api_event(method, resource, &used, query, &[("Content-Type", "application/json")], None)
}

/// By list-shows, to which the template sends it, as by any other function.
#[tokio::test]
async fn another_method_is_405_for_everybody_and_says_which_there_are() {
    let database = Database::create().await;
    let api = Api::new(&database).await;
    for route in &ROUTES {
        let there = methods(route.resource);
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY", "get", "BREW", ""]
        {
            if there.contains(&method) {
                continue;
            }
            for (function, by) in [
                (&api.0[env!("CARGO_BIN_EXE_list-shows")], std::convert::identity as fn(Value) -> Value),
                (&api.0[env!("CARGO_BIN_EXE_list-shows")], operator),
                (api.function(route.resource), std::convert::identity),
            ] {
                let raw = function.invoke(&by(event(method, route.resource, &[("State", "x")]))).await.unwrap();
                assert_eq!(raw["statusCode"], 405, "{method} {}: {raw}", route.resource);
                assert_eq!(raw["headers"]["allow"], there.join(", "));
                assert_eq!(raw["headers"]["content-type"], "application/problem+json");
                if method == "HEAD" {
                    assert_eq!(raw["body"], "");
                } else {
                    assert_eq!(Answer::of(raw).problem(), "method-not-allowed");
                }
            }
        }
    }
    // What is no path has no methods.
    for method in ["GET", "HEAD", "PUT"] {
        let raw = api.call(method, "/admin", &[], operator).await;
        assert_eq!((&raw["statusCode"], raw["headers"].get("allow")), (&json!(404), None), "{method}");
    }
}

#[tokio::test]
async fn head_is_answered_as_get_without_the_body() {
    let database = Database::create().await;
    show(&database).await;
    let api = Api::new(&database).await;
    for route in ROUTES.iter().filter(|route| route.method == "GET") {
        for query in [&[][..], &[("limit", "0")], &[("subject", "ada")]] {
            for by in [operator, std::convert::identity] {
                let get = api.call("GET", route.resource, query, by).await;
                let mut head = api.call("HEAD", route.resource, query, by).await;
                // Of what is not sent the length is told.
                let length = head["headers"].as_object_mut().unwrap().remove("content-length");
                assert_eq!(length, Some(json!(get["body"].as_str().unwrap().len().to_string())));
                assert_ne!(get["body"], "", "{}", route.resource);
                assert_eq!(
                    head,
                    json!({ "statusCode": get["statusCode"], "headers": get["headers"], "body": "", "isBase64Encoded": false })
                );
            }
        }
    }
}

#[tokio::test]
async fn an_unknown_query_parameter_is_400_on_every_route() {
    let database = Database::create().await;
    show(&database).await;
    let api = Api::new(&database).await;
    for route in &ROUTES {
        for name in ["State", "LIMIT", "limit ", "limit[]", "cursor.", "q", "", "sub", "\u{202e}", &"x".repeat(5_000)] {
            let raw = api.call(route.method, route.resource, &[(name, "1"), ("subject", "ada")], operator).await;
            let answer = Answer::of(raw);
            let what = format!("{} {}?{name}", route.method, route.resource);
            if route.query == Query::Any {
                assert_eq!((answer.status, answer.problem()), (401, "unauthorized"), "{what}");
                continue;
            }
            assert_eq!((answer.status, answer.problem()), (400, "malformed-request"), "{what}");
            assert!(answer.body.to_string().len() < 1_000, "{}", answer.body);
        }
    }
}

#[tokio::test]
async fn a_query_parameter_is_given_once_and_all_faults_are_told() {
    let database = Database::create().await;
    show(&database).await;
    let api = Api::new(&database).await;
    for route in &ROUTES {
        let Query::Only(names) = route.query else { continue };
        for name in names {
            let query = [(*name, "1"), (*name, "1"), ("subject", "ada"), ("State", "x")];
            let query = if *name == "subject" { [query[0], query[1], query[3], query[3]] } else { query };
            let answer = Answer::of(api.call(route.method, route.resource, &query, operator).await);
            assert_eq!((answer.status, answer.problem()), (400, "malformed-request"), "{name}");
            let errors = answer.body["errors"].as_array().unwrap();
            let told =
                |pointer: &str| errors.iter().find(|error| error["pointer"] == pointer).map(|error| &error["detail"]);
            assert_eq!(told(name), Some(&json!("must be given once")), "{} {name}: {}", route.resource, answer.body);
            assert_eq!(told("State"), Some(&json!("is not known")), "{}", answer.body);
        }
    }
    // Thousands of them are told in a bounded length.
    let names: Vec<_> = (0..2_000).map(|number| format!("p{number}")).collect();
    let query: Vec<_> = names.iter().map(|name| (name.as_str(), "")).collect();
    let answer = Answer::of(api.call("GET", "/shows", &query, operator).await);
    assert_eq!((answer.status, answer.body["errors"].as_array().unwrap().len()), (400, 20));
}
