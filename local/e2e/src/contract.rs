//! The contract, `openapi.yaml`, and a check of answers against it.

use std::{collections::BTreeSet, fs, sync::OnceLock};

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::{http::Response, setting};

/// The required answers to an unknown path and to an unknown method: status and problem type.
const NO_ROUTE: (u16, &str) = (404, "https://boxoffice.example/problems/route-not-found");
const NO_METHOD: (u16, &str) = (405, "https://boxoffice.example/problems/method-not-allowed");

/// The parsed contract.
#[derive(Debug)]
pub struct Contract(Value);

/// A request and its answer.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'a> {
    /// The request's method.
    pub method: &'a str,
    /// The request's path, relative to the stage. A query is ignored.
    pub path: &'a str,
    /// The request's body.
    pub sent: &'a [u8],
    /// The answer.
    pub response: &'a Response,
}

impl Contract {
    /// The repository's contract. It is read once per process.
    pub fn get() -> &'static Self {
        static CONTRACT: OnceLock<Contract> = OnceLock::new();
        CONTRACT.get_or_init(|| {
            let text = fs::read_to_string(setting::root().join("openapi.yaml")).unwrap();
            Self(serde_saphyr::from_str(&text).unwrap())
        })
    }

    /// Every way in which the exchange breaks the contract. Empty if it keeps to it.
    pub fn breaches(&self, exchange: Exchange<'_>) -> Vec<String> {
        let response = exchange.response;
        let Some(operation) = self.operation(exchange.method, exchange.path) else {
            return self.breaches_without_route(exchange);
        };
        let Some(documented) = operation["responses"].get(response.status.to_string()) else {
            return vec![format!("status {} is not documented", response.status)];
        };
        let documented = self.resolve(documented);
        // `HEAD` has the answer of `GET` without its body.
        let mut breaches = match exchange.method {
            "HEAD" if !response.body.is_empty() => vec!["the answer to HEAD has a body".to_owned()],
            "HEAD" => Vec::new(),
            _ => self.body_breaches(documented, response),
        };
        breaches.extend(self.header_breaches(documented, response));
        if response.status < 400 {
            breaches.extend(self.accepted_breaches(operation, exchange.sent));
        }
        breaches
    }

    /// Every `(method, path template)`, with the method in capitals.
    pub fn routes(&self) -> BTreeSet<(String, String)> {
        const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
        let paths = self.0["paths"].as_object().unwrap().iter();
        let methods = |item: &Value| METHODS.into_iter().filter(|m| item.get(m).is_some()).collect::<Vec<_>>();
        paths.flat_map(|(path, item)| methods(item).into_iter().map(|m| (m.to_uppercase(), path.clone()))).collect()
    }

    /// Every example with its schema: `(location, schema, example)`.
    pub fn examples(&self) -> Vec<(String, Value, Value)> {
        let mut found = Vec::new();
        self.collect_examples("", &self.0, &mut found);
        found
    }

    /// The errors of `value` against `schema`, which may refer to the contract's components.
    pub fn schema_breaches(&self, schema: &Value, value: &Value) -> Vec<String> {
        let errors = self.validator(schema);
        errors.iter_errors(value).map(|e| format!("{}: {e}", e.instance_path())).collect()
    }

    fn operation(&self, method: &str, path: &str) -> Option<&Value> {
        let method = if method == "HEAD" { "GET" } else { method };
        self.item(path)?.get(method.to_lowercase())
    }

    /// The path item that matches this path.
    fn item(&self, path: &str) -> Option<&Value> {
        let path = path.split('?').next().unwrap_or_default();
        let paths = self.0["paths"].as_object().unwrap();
        paths.iter().find(|(template, _)| fits(template, path)).map(|(_, item)| item)
    }

    fn breaches_without_route(&self, exchange: Exchange<'_>) -> Vec<String> {
        let response = exchange.response;
        let mut breaches = Vec::new();
        let (status, name) = if self.item(exchange.path).is_some() { NO_METHOD } else { NO_ROUTE };
        if response.status != status {
            breaches.push(format!("status {} instead of {status} for an unknown route", response.status));
        }
        if response.header("allow").is_some() != (status == 405) {
            breaches.push("Allow is required with 405 and forbidden with other statuses".to_owned());
        }
        if exchange.method != "HEAD" {
            let documented = json!({"content": {"application/problem+json": {"schema": {"allOf": [
                {"$ref": "#/components/schemas/Problem"},
                {"properties": {"type": {"const": name}, "status": {"const": status}}},
            ]}}}});
            breaches.extend(self.body_breaches(&documented, response));
        }
        breaches
    }

    fn body_breaches(&self, documented: &Value, response: &Response) -> Vec<String> {
        let content_type = response.header("content-type").unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        let Some(media) = documented["content"].get(media_type) else {
            return vec![format!("content type {content_type:?} is not documented for status {}", response.status)];
        };
        match serde_json::from_slice::<Value>(&response.body) {
            Ok(body) => self.schema_breaches(&media["schema"], &body),
            Err(error) => vec![format!("the body is not JSON: {error}")],
        }
    }

    fn header_breaches(&self, documented: &Value, response: &Response) -> Vec<String> {
        const OURS: [&str; 6] =
            ["Location", "Retry-After", "Idempotency-Replayed", "RateLimit", "RateLimit-Policy", "WWW-Authenticate"];
        let mut breaches = Vec::new();
        for name in OURS {
            let header = documented["headers"].get(name);
            match (header, response.header(name)) {
                (None, Some(_)) => {
                    breaches.push(format!("header {name} is not documented for status {}", response.status))
                }
                (Some(header), None) if header["required"] == true => {
                    breaches.push(format!("header {name} is missing"))
                }
                (Some(header), Some(text)) => {
                    let value = match text.parse::<i64>() {
                        Ok(number) if header["schema"]["type"] == "integer" => json!(number),
                        _ => json!(text),
                    };
                    let wrong = self.schema_breaches(&header["schema"], &value);
                    breaches.extend(wrong.iter().map(|e| format!("header {name}{e}")));
                }
                _ => {}
            }
        }
        breaches
    }

    /// The reverse check: the API must not accept a request body that the contract forbids.
    fn accepted_breaches(&self, operation: &Value, sent: &[u8]) -> Vec<String> {
        let Some(media) = operation.pointer("/requestBody/content/application~1json") else { return Vec::new() };
        match serde_json::from_slice(sent) {
            Ok(body) => {
                let wrong = self.schema_breaches(&media["schema"], &body);
                wrong.iter().map(|e| format!("accepted a body that the contract forbids{e}")).collect()
            }
            Err(error) => vec![format!("accepted a body that is not JSON: {error}")],
        }
    }

    fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(reference) => self.0.pointer(reference.trim_start_matches('#')).unwrap(),
            None => value,
        }
    }

    fn validator(&self, schema: &Value) -> Validator {
        // The components are part of the document, so that references to them resolve.
        let document = json!({"allOf": [schema], "components": self.0["components"]});
        jsonschema::draft202012::options().should_validate_formats(true).build(&document).unwrap()
    }

    fn collect_examples(&self, at: &str, value: &Value, found: &mut Vec<(String, Value, Value)>) {
        match value {
            Value::Object(members) => {
                if let Some(schema) = members.get("schema") {
                    if let Some(example) = members.get("example") {
                        found.push((at.to_owned(), schema.clone(), example.clone()));
                    }
                    for (name, example) in members.get("examples").and_then(Value::as_object).into_iter().flatten() {
                        let example = self.resolve(example)["value"].clone();
                        found.push((format!("{at}/{name}"), schema.clone(), example));
                    }
                }
                for (name, member) in members {
                    self.collect_examples(&format!("{at}/{name}"), member, found);
                }
            }
            Value::Array(items) => {
                for (i, item) in items.iter().enumerate() {
                    self.collect_examples(&format!("{at}/{i}"), item, found);
                }
            }
            _ => {}
        }
    }
}

/// Whether a path matches a template such as `/shows/{show_id}`.
fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template.iter().zip(&path).all(|(t, p)| if t.starts_with('{') { !p.is_empty() } else { t == p })
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::*;

    const BOOKINGS: &str = "/shows/7/bookings";

    fn booking() -> Value {
        let id = "7-0197f1a6-4c7e-7d3b-9a52-3f6c1b2d4e5f";
        json!({"booking_id": id, "show_id": 7, "user_name": "Ada", "seats": 2, "status": "PENDING",
            "failure_reason": null, "created_at": "2030-01-01T00:00:00Z", "expires_at": "2030-01-01T00:02:00.5Z",
            "settled_at": null, "amount_minor": 5000, "currency": "EUR"})
    }

    fn problem(slug: &str, status: u16) -> Value {
        json!({"type": format!("https://boxoffice.example/problems/{slug}"), "title": "t", "status": status, "detail": "d"})
    }

    fn answer(status: u16, content_type: &str, headers: &[(&'static str, &'static str)], body: &Value) -> Response {
        let mut map = HeaderMap::new();
        map.insert("content-type", HeaderValue::from_str(content_type).unwrap());
        for (name, value) in headers {
            map.insert(*name, HeaderValue::from_static(value));
        }
        Response { status, headers: map, body: body.to_string().into() }
    }

    fn created(body: &Value) -> Response {
        answer(201, "application/json", &[("location", "../../bookings/7-0197f1a6-4c7e-7d3b-9a52-3f6c1b2d4e5f")], body)
    }

    fn breaches_of(method: &str, path: &str, response: &Response) -> Vec<String> {
        let sent = br#"{"user_name": "Ada", "seats": 2}"#;
        Contract::get().breaches(Exchange { method, path, sent, response })
    }

    #[track_caller]
    fn keeps(method: &str, path: &str, response: &Response) {
        assert_eq!(breaches_of(method, path, response), [""; 0]);
    }

    #[track_caller]
    fn breaks(method: &str, path: &str, response: &Response, why: &str) {
        let breaches = breaches_of(method, path, response);
        assert!(breaches.iter().any(|b| b.contains(why)), "{why:?} is not in {breaches:?}");
    }

    #[test]
    fn every_example_is_valid_against_its_schema() {
        let examples = Contract::get().examples();
        assert!(examples.len() >= 30, "only {} examples were found", examples.len());
        for (at, schema, value) in examples {
            assert_eq!(Contract::get().schema_breaches(&schema, &value), [""; 0], "{at}");
        }
    }

    #[test]
    fn documented_answers_are_accepted() {
        keeps("POST", BOOKINGS, &created(&booking()));
        keeps("POST", BOOKINGS, &answer(404, "application/problem+json", &[], &problem("show-not-found", 404)));
        keeps(
            "GET",
            "/shows?limit=1",
            &answer(200, "application/json; charset=utf-8", &[], &json!({"shows": [], "next_cursor": null})),
        );
        keeps(
            "GET",
            "/shows/7",
            &answer(503, "application/problem+json", &[("retry-after", "1")], &problem("busy", 503)),
        );
        keeps("PATCH", "/nothing", &answer(404, "application/problem+json", &[], &problem("route-not-found", 404)));
        let allow = [("allow", "GET, HEAD")];
        let not_allowed = problem("method-not-allowed", 405);
        keeps("PATCH", "/shows", &answer(405, "application/problem+json", &allow, &not_allowed));
        breaks("PATCH", "/shows", &answer(405, "application/problem+json", &[], &not_allowed), "Allow");
        let head = Response { body: "".into(), ..answer(200, "application/json", &[], &json!(null)) };
        keeps("HEAD", "/shows", &head);
        breaks("HEAD", "/shows", &answer(200, "application/json", &[], &json!(null)), "has a body");
    }

    #[test]
    fn an_undocumented_status_is_reported() {
        breaks("POST", BOOKINGS, &answer(200, "application/json", &[], &booking()), "status 200");
        breaks("PATCH", "/shows", &answer(403, "application/json", &[], &json!({"message": "no"})), "status 403");
        // The problem document's status differs from the answer's.
        breaks(
            "GET",
            "/shows/7",
            &answer(404, "application/problem+json", &[], &problem("show-not-found", 400)),
            "/status",
        );
    }

    #[test]
    fn an_invalid_body_is_reported() {
        let changed = |name: &str, value: Value| {
            let mut body = booking();
            body[name] = value;
            created(&body)
        };
        breaks("POST", BOOKINGS, &changed("seats", json!("2")), "/seats");
        breaks("POST", BOOKINGS, &changed("secret", json!(1)), "secret");
        breaks("POST", BOOKINGS, &changed("status", json!("HELD")), "/status");
        breaks("POST", BOOKINGS, &changed("status", json!("FAILED")), "/failure_reason");
        breaks("POST", BOOKINGS, &changed("settled_at", json!("2030-01-01T00:00:00Z")), "/settled_at");
        breaks("POST", BOOKINGS, &changed("expires_at", json!("2030-01-01T00:00:00+01:00")), "/expires_at");
        breaks("POST", BOOKINGS, &changed("expires_at", json!("2030-13-01T00:00:00Z")), "/expires_at");
        let mut body = booking();
        body.as_object_mut().unwrap().remove("expires_at");
        breaks("POST", BOOKINGS, &created(&body), "expires_at");
        let html = Response { body: "<html>".into(), ..created(&booking()) };
        breaks("POST", BOOKINGS, &html, "not JSON");
    }

    #[test]
    fn an_invalid_problem_is_reported() {
        let problem_json = "application/problem+json";
        breaks("POST", BOOKINGS, &answer(409, problem_json, &[], &problem("booking-expired", 409)), "/type");
        breaks("POST", BOOKINGS, &answer(409, problem_json, &[], &problem("sold-out", 409)), "available_seats");
        breaks("POST", BOOKINGS, &answer(422, problem_json, &[], &problem("validation-failed", 422)), "errors");
        breaks(
            "POST",
            BOOKINGS,
            &answer(404, "application/json", &[], &problem("show-not-found", 404)),
            "content type",
        );
        let mut leak = problem("internal", 500);
        leak["cause"] = json!("connection to 10.0.0.1 refused");
        breaks("POST", BOOKINGS, &answer(500, problem_json, &[], &leak), "cause");
    }

    #[test]
    fn a_missing_or_invalid_header_is_reported() {
        breaks("POST", BOOKINGS, &answer(201, "application/json", &[], &booking()), "Location");
        breaks(
            "POST",
            BOOKINGS,
            &answer(201, "application/json", &[("location", "/v1/bookings/7")], &booking()),
            "Location",
        );
        breaks("GET", "/shows/7", &answer(503, "application/problem+json", &[], &problem("busy", 503)), "Retry-After");
        let soon = answer(503, "application/problem+json", &[("retry-after", "soon")], &problem("busy", 503));
        breaks("GET", "/shows/7", &soon, "Retry-After");
        let page = answer(
            200,
            "application/json",
            &[("idempotency-replayed", "true")],
            &json!({"shows": [], "next_cursor": null}),
        );
        breaks("GET", "/shows", &page, "Idempotency-Replayed");
    }

    #[test]
    fn an_accepted_body_that_the_contract_forbids_is_reported() {
        let response = created(&booking());
        let sent = br#"{"user_name": "Ada", "seats": 2, "vip": true}"#;
        let breaches = Contract::get().breaches(Exchange { method: "POST", path: BOOKINGS, sent, response: &response });
        assert!(breaches.iter().any(|b| b.contains("accepted")), "{breaches:?}");
    }
}
