//! Rules of all routes: bodies, paths, methods, `HEAD` and query parameters.

use boxoffice_e2e::api::{Api, Call};
use serde_json::json;

#[tokio::test]
async fn invalid_bodies_are_refused_with_their_reason() {
    let api = Api::connect();
    let show_id = api.create_show(5).await;
    for path in ["/admin/shows".to_owned(), format!("/shows/{show_id}/bookings")] {
        let post = || Call::new("POST", &path);
        api.send(post().header("content-type", "text/plain").body("{}")).await.problem(415, "unsupported-media-type");
        api.send(post().body("{}")).await.problem(415, "unsupported-media-type");
        api.send(post().json("{\"seats\":")).await.problem(400, "malformed-json");
        api.send(post().json("[]")).await.problem(400, "malformed-json");
        let large = json!({"user_name": "a".repeat(16 * 1024)}).to_string();
        api.send(post().json(large)).await.problem(413, "body-too-large");
        // Media type parameters and white space are accepted. The next check refuses the empty object.
        let spaced = post().header("content-type", "Application/JSON; charset=utf-8").body(" { } ");
        api.send(spaced).await.problem(422, "validation-failed");
    }
    assert_eq!(api.available_seats(show_id).await, 5);
}

#[tokio::test]
async fn an_unknown_route_is_not_found() {
    let api = Api::connect();
    for (method, path) in
        [("GET", "/"), ("GET", "/nothing"), ("GET", "/bookings"), ("POST", "/admin"), ("PUT", "/shows/1/2")]
    {
        api.send(Call::new(method, path)).await.problem(404, "route-not-found");
    }
}

#[tokio::test]
async fn an_unknown_method_is_405_without_a_token() {
    let api = Api::connect();
    for (method, path, allow) in [
        ("GET", "/admin/shows", "POST"),
        ("POST", "/shows", "GET, HEAD"),
        ("PUT", "/shows/1", "GET, HEAD"),
        ("PATCH", "/shows/1", "GET, HEAD"),
        ("DELETE", "/shows/1", "GET, HEAD"),
        ("GET", "/bookings/1/confirm", "POST"),
        ("PUT", "/bookings/1", "GET, HEAD, DELETE"),
        ("OPTIONS", "/shows", "GET, HEAD"),
        ("HEAD", "/webhooks/payments/stripe", "POST"),
        ("GET", "/partner/shows/1/bookings", "POST"),
        ("POST", "/admin/subjects/bookings", "GET, HEAD, DELETE"),
    ] {
        let answer = api.send(Call::new(method, path).anonymous()).await;
        assert_eq!((answer.status(), answer.header("allow")), (405, Some(allow)), "{method} {path}");
    }
}

#[tokio::test]
async fn head_has_the_status_and_headers_of_get() {
    let api = Api::connect();
    let show_id = api.create_show(1).await;
    for path in ["/shows?limit=1".to_owned(), format!("/shows/{show_id}"), "/shows/0".into(), "/admin/payments".into()]
    {
        let (get, head) = (api.get(&path).await, api.send(Call::new("HEAD", &path)).await);
        assert_eq!((head.status(), head.header("content-type")), (get.status(), get.header("content-type")), "{path}");
    }
    assert_eq!(api.send(Call::new("HEAD", "/admin/payments").anonymous()).await.status(), 401);
}

#[tokio::test]
async fn an_unknown_query_parameter_is_refused() {
    let api = Api::connect();
    for path in [
        "/shows?Limit=1",
        "/shows/1?x=1",
        "/admin/payments?State=refunded",
        "/admin/payments?state=refunded&state=pending",
    ] {
        api.get(path).await.problem(400, "malformed-request");
    }
}
