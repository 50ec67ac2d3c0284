//! Supported and unsupported methods and query parameters of every route. Runs the real binaries in a Lambda runtime.

use crate::common::{Answer, Api, operator, request, show};
use std::time::Duration;

use boxoffice_functions::routes::{Lambda, Query, ROUTES, Route, methods};
use boxoffice_testkit::{postgres::Database, sqs::FixedDelayQueue};
use serde_json::{Value, json};

async fn start(database: &Database) -> Api {
    Api::start(database, &FixedDelayQueue::start(Duration::ZERO).await).await
}

/// Calls the route's Lambda with any method and returns the raw answer.
async fn ask(api: &Api, route: &Route, method: &str, query: &[(&str, &str)], by: impl Fn(Value) -> Value) -> Value {
    api.of(route).invoke(&by(request(method, route.path, query, None))).await.unwrap()
}

/// Each Lambda serves the routes that the table assigns to it, and no others.
#[tokio::test]
async fn each_route_is_served_only_by_its_lambda() {
    let database = Database::create().await;
    let api = start(&database).await;
    for route in ROUTES {
        let query = if route.path.contains("subjects") { &[("subject", "ada")][..] } else { &[] };
        for (lambda, instance) in api.all() {
            let event = operator(request(route.method, route.path, query, Some("{}")));
            let answer = Answer::of(instance.invoke(&event).await.unwrap());
            let is_served = answer.status < 400 || answer.problem() != "route-not-found";
            assert_eq!(is_served, lambda == route.lambda, "{:?} by {lambda:?}: {}", route.operation, answer.body);
        }
    }
}

/// The template sends unsupported methods to list-shows. The route's own function answers them alike.
#[tokio::test]
async fn unsupported_method_is_405_with_the_allowed_methods() {
    let database = Database::create().await;
    let api = start(&database).await;
    for route in ROUTES {
        let there = methods(route.path);
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY", "get", "BREW", ""]
        {
            if there.contains(&method) {
                continue;
            }
            for (function, by) in [
                (api.get(Lambda::ListShows), std::convert::identity as fn(Value) -> Value),
                (api.get(Lambda::ListShows), operator),
                (api.of(route), std::convert::identity),
            ] {
                let raw = function.invoke(&by(request(method, route.path, &[("State", "x")], None))).await.unwrap();
                assert_eq!(raw["statusCode"], 405, "{method} {}: {raw}", route.path);
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
    // An unknown path has no allowed methods.
    for method in ["GET", "HEAD", "PUT"] {
        let raw = api.get(Lambda::ListShows).invoke(&operator(request(method, "/admin", &[], None))).await.unwrap();
        assert_eq!((&raw["statusCode"], raw["headers"].get("allow")), (&json!(404), None), "{method}");
    }
}

#[tokio::test]
async fn head_is_answered_like_get_without_the_body() {
    let database = Database::create().await;
    show(&database).await;
    let api = start(&database).await;
    for route in ROUTES.iter().filter(|route| route.method == "GET") {
        for query in [&[][..], &[("limit", "0")], &[("subject", "ada")]] {
            for by in [operator, std::convert::identity] {
                let get = ask(&api, route, "GET", query, by).await;
                let mut head = ask(&api, route, "HEAD", query, by).await;
                // Content-Length is that of the body of GET.
                let length = head["headers"].as_object_mut().unwrap().remove("content-length");
                assert_eq!(length, Some(json!(get["body"].as_str().unwrap().len().to_string())));
                assert_ne!(get["body"], "", "{}", route.path);
                assert_eq!(
                    head,
                    json!({ "statusCode": get["statusCode"], "headers": get["headers"], "body": "", "isBase64Encoded": false })
                );
            }
        }
    }
}

#[tokio::test]
async fn unknown_query_parameter_is_400_on_every_route() {
    let database = Database::create().await;
    show(&database).await;
    let api = start(&database).await;
    for route in ROUTES {
        for name in ["State", "LIMIT", "limit ", "limit[]", "cursor.", "q", "", "sub", "\u{202e}", &"x".repeat(5_000)] {
            let raw = ask(&api, route, route.method, &[(name, "1"), ("subject", "ada")], operator).await;
            let answer = Answer::of(raw);
            let what = format!("{} {}?{name}", route.method, route.path);
            if route.query() == Query::Any {
                assert_eq!((answer.status, answer.problem()), (401, "unauthorized"), "{what}");
                continue;
            }
            assert_eq!((answer.status, answer.problem()), (400, "malformed-request"), "{what}");
            assert!(answer.body.to_string().len() < 1_000, "{}", answer.body);
        }
    }
}

#[tokio::test]
async fn repeated_query_parameter_is_400_and_all_errors_are_reported() {
    let database = Database::create().await;
    show(&database).await;
    let api = start(&database).await;
    for route in ROUTES {
        let Query::Only(names) = route.query() else { continue };
        for name in names {
            let query = [(*name, "1"), (*name, "1"), ("subject", "ada"), ("State", "x")];
            let query = if *name == "subject" { [query[0], query[1], query[3], query[3]] } else { query };
            let answer = Answer::of(ask(&api, route, route.method, &query, operator).await);
            assert_eq!((answer.status, answer.problem()), (400, "malformed-request"), "{name}");
            let errors = answer.body["errors"].as_array().unwrap();
            let detail =
                |pointer: &str| errors.iter().find(|error| error["pointer"] == pointer).map(|error| &error["detail"]);
            assert_eq!(detail(name), Some(&json!("must be given once")), "{} {name}: {}", route.path, answer.body);
            assert_eq!(detail("State"), Some(&json!("is unknown")), "{}", answer.body);
        }
    }
    // The list of errors is bounded, even for thousands of parameters.
    let names: Vec<_> = (0..2_000).map(|number| format!("p{number}")).collect();
    let query: Vec<_> = names.iter().map(|name| (name.as_str(), "")).collect();
    let answer = Answer::of(ask(&api, &ROUTES[0], "GET", &query, operator).await);
    assert_eq!((answer.status, answer.body["errors"].as_array().unwrap().len()), (400, 20));
}
