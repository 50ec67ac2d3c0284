//! `Location` resolves as in RFC 9110, behind any stage or domain. Runs the real binaries in a Lambda runtime.

use crate::common::{Answer, book, booking, call, operator, ready, show};
use std::time::Duration;

use boxoffice_testkit::{
    events::{api_event, from_somebody},
    lambda::Instance,
    postgres::Database,
    sqs::FixedDelayQueue,
};
use serde_json::{Value, json};
use url::Url;

/// The API's base URL for clients, and the prefixes of the event's `path` and `requestContext.path`.
const BASES: [(&str, &str, &str); 5] = [
    ("https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/v1", "", "/v1"),
    ("https://tickets.example.com", "", ""),
    ("https://api.example.com/boxoffice", "/boxoffice", "/boxoffice"),
    ("https://api.example.com/a/b", "/a/b", "/a/b"),
    ("http://127.0.0.1:4566/restapis/a1b2c3d4/v1/_user_request_", "", "/v1"),
];

/// The event and the URL of a request to this path under a base.
fn at(base: usize, mut event: Value, path: &str) -> (Value, Url) {
    let (url, prefix, of_context) = BASES[base];
    event["path"] = json!(format!("{prefix}{path}"));
    event["requestContext"]["path"] = json!(format!("{of_context}{path}"));
    (event, Url::parse(&format!("{url}{path}")).unwrap())
}

fn followed(answer: &Answer, url: &Url) -> String {
    assert_eq!(answer.status, 201, "{}", answer.body);
    url.join(answer.header("location").unwrap()).unwrap().to_string()
}

#[tokio::test]
async fn location_leads_to_the_booking_under_every_stage_and_domain() {
    let database = Database::create().await;
    show(&database).await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let instance = ready(book(&database.url(), &queue.endpoint(), &queue.queue_url())).await;
    for (base, (root, ..)) in BASES.iter().enumerate() {
        // API Gateway ignores a trailing slash or an empty segment; clients resolve relative URLs against them.
        for path in ["/shows/1/bookings", "/shows/1/bookings/", "/shows//1/bookings", "/shows/1/bookings//"] {
            let (event, url) = at(base, from_somebody(booking(1, &[])), path);
            let answer = call(&instance, &event).await;
            let id = answer.body["booking_id"].as_str().unwrap();
            assert_eq!(followed(&answer, &url), format!("{}/bookings/{id}", root), "{path}");
        }
        let mut event = from_somebody(booking(1, &[]));
        event["requestContext"]["resourcePath"] = json!("/partner/shows/{show_id}/bookings");
        let (event, url) = at(base, event, "/partner/shows/1/bookings");
        let answer = call(&instance, &event).await;
        let id = answer.body["booking_id"].as_str().unwrap();
        assert_eq!(followed(&answer, &url), format!("{}/bookings/{id}", root));
    }
}

#[tokio::test]
async fn location_leads_to_the_show_under_every_stage_and_domain() {
    let database = Database::create().await;
    let instance = ready(Instance::builder(env!("CARGO_BIN_EXE_admin")).env("DATABASE_URL", database.url())).await;
    let body = json!({ "name": "Hamlet", "start_time": "2131-05-01T20:00:00Z", "total_seats": 1 }).to_string();
    for (base, (api, ..)) in BASES.iter().enumerate() {
        let event = api_event("POST", "/admin/shows", &[], &[], &[("Content-Type", "application/json")], Some(&body));
        let (event, url) = at(base, operator(event), "/admin/shows");
        let answer = call(&instance, &event).await;
        assert_eq!(followed(&answer, &url), format!("{api}/shows/{}", answer.body["show_id"]));
    }
}
