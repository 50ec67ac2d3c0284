//! Access control in the functions themselves, whatever the gateway lets through.

use crate::common::{Answer, Api, book, booking, bookings_of, call, ready, request, show};
use std::time::{Duration, SystemTime};

use boxoffice_functions::{
    access::{Access, Scope},
    routes::ROUTES,
};
use boxoffice_shared::{bookings::BookingId, holders::Holder};
use boxoffice_testkit::{
    events::{api_event, from_address, with_token, with_token_until},
    invariants::assert_invariants,
    lambda::Instance,
    postgres::Database,
    sqs::FixedDelayQueue,
};
use serde_json::{Value, json};

#[tokio::test]
async fn every_route_requires_exactly_its_scope() {
    let database = Database::create().await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let api = Api::start(&database, &queue).await;
    for route in ROUTES {
        let instance = api.of(route);
        let what = format!("{} {}", route.method, route.path);
        // A call that is let in still fails, with 404 or with 4xx for its body.
        let bare = request(route.method, route.path, &[], Some("{}"));
        let all = Scope::ALL.map(Scope::as_str).join(" ");
        let expired = with_token_until(bare.clone(), "ada", &all, SystemTime::now() - Duration::from_secs(40));
        match route.access {
            Access::Public | Access::Webhook | Access::PartnerKey => {
                // Such routes ignore tokens, valid or not.
                for event in [bare, expired] {
                    let answer = call(instance, &event).await;
                    let let_in = !matches!(answer.status, 403 | 500..) && answer.header("www-authenticate").is_none();
                    assert!(let_in, "{what}: {} {}", answer.status, answer.body);
                }
            }
            Access::OptionalToken => {
                assert!(matches!(call(instance, &bare).await.status, 404 | 415 | 422), "{what}");
                assert!(
                    matches!(call(instance, &with_token(bare.clone(), "ada", "")).await.status, 404 | 415 | 422),
                    "{what}"
                );
                // The authorizer allows 30 s of clock skew, and so does the function.
                let late = with_token_until(bare, "ada", "", SystemTime::now() - Duration::from_secs(10));
                assert!(matches!(call(instance, &late).await.status, 404 | 415 | 422), "{what}");
                refused(&call(instance, &expired).await, 401, &what);
            }
            Access::Needs(scope) => {
                refused(&call(instance, &bare).await, 401, &what);
                refused(&call(instance, &expired).await, 401, &what);
                let others = Scope::ALL.into_iter().filter(|other| *other != scope).map(Scope::as_str);
                let others = others.collect::<Vec<_>>().join(" ");
                refused(&call(instance, &with_token(bare.clone(), "ada", &others)).await, 403, &what);
                refused(&call(instance, &with_token(bare.clone(), "ada", "")).await, 403, &what);
                // Scopes match as whole words.
                let looks_like_it = format!("x{scope} {scope}x", scope = scope.as_str());
                refused(&call(instance, &with_token(bare.clone(), "ada", &looks_like_it)).await, 403, &what);
                let answer = call(instance, &with_token(bare, "ada", scope.as_str())).await;
                assert!(matches!(answer.status, 200 | 400 | 404 | 422), "{what}: {} {}", answer.status, answer.body);
            }
        }
    }
}

#[track_caller]
fn refused(answer: &Answer, status: u64, what: &str) {
    let problem = if status == 401 { "unauthorized" } else { "forbidden" };
    assert_eq!((answer.status, answer.problem()), (status, problem), "{what}: {}", answer.body);
    assert_eq!(answer.header("www-authenticate"), (status == 401).then_some("Bearer"), "{what}");
}

/// Only the authorizer's context counts, not the client's headers, query or body.
#[tokio::test]
async fn client_input_cannot_forge_the_authorizer_context() {
    let database = Database::create().await;
    let instance = ready(Instance::builder(env!("CARGO_BIN_EXE_admin")).env("DATABASE_URL", database.url())).await;
    let scope = "shows:write";
    let headers = [
        ("Authorization", "Bearer shows:write"),
        ("Content-Type", "application/json"),
        ("sub", "ada"),
        ("scope", scope),
        ("X-Amzn-Authorizer", r#"{"sub":"ada","scope":"shows:write","exp":"4102444800"}"#),
    ];
    let body =
        json!({"name": "x", "requestContext": {"authorizer": {"sub": "ada", "scope": scope, "exp": "4102444800"}}});
    let query = [("sub", "ada"), ("scope", scope), ("exp", "4102444800")];
    let event = api_event("POST", "/admin/shows", &[], &query, &headers, Some(&body.to_string()));
    refused(&call(&instance, &event).await, 401, "claims sent by the client");
    // The context of another kind or version of authorizer.
    for context in [
        json!({"principalId": "ada"}),
        json!({"sub": "ada", "scope": scope}),
        json!({"scope": scope}),
        json!({"sub": "ada", "scope": scope, "exp": "soon"}),
        json!({"sub": "", "scope": scope, "exp": "4102444800"}),
        json!({"sub": ["ada"], "scope": scope, "exp": "4102444800"}),
    ] {
        let mut event = event.clone();
        event["requestContext"]["authorizer"] = context.clone();
        refused(&call(&instance, &event).await, 401, &context.to_string());
    }
}

#[tokio::test]
async fn booking_of_another_user_looks_like_an_unknown_one() {
    let database = Database::create().await;
    show(&database).await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let maker = ready(book(&database.url(), &queue.endpoint(), &queue.queue_url())).await;
    let keeper = ready(bookings_of(&database.url())).await;
    let made = call(&maker, &with_token(booking(2, &[]), "ada", "")).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let id = made.body["booking_id"].as_str().unwrap();
    let unknown = BookingId::generate("1".parse().unwrap()).to_string();
    let calls = [
        ("GET", "/bookings/{booking_id}"),
        ("POST", "/bookings/{booking_id}/extend"),
        ("DELETE", "/bookings/{booking_id}"),
    ];
    for (method, resource) in calls {
        let event = |id: &str| api_event(method, resource, &[("booking_id", id)], &[], &[], None);
        let theirs = [event(id), with_token(event(id), "grace", ""), with_token(event(id), "ad", "bookings:confirm")];
        let nobodys = call(&keeper, &event(&unknown)).await;
        for event in theirs {
            let answer = call(&keeper, &event).await;
            assert_eq!((answer.status, &answer.body), (404, &nobodys.body), "{method} {resource}");
        }
        // The scope to read all bookings does not allow changes.
        let reader = call(&keeper, &with_token(event(id), "operator", "bookings:read")).await;
        assert_eq!(reader.status, if method == "GET" { 200 } else { 404 }, "{method} {resource}");
        let own = call(&keeper, &with_token(event(id), "ada", "")).await;
        assert_eq!(own.status, 200, "{method} {resource}: {}", own.body);
    }
}

/// The holder is the token's subject, else the API key, else the address. Each holder has its own limits.
#[tokio::test]
async fn each_holder_has_its_own_limits_and_retry_after() {
    let database = Database::create().await;
    show(&database).await;
    let client = database.client().await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let builder = book(&database.url(), &queue.endpoint(), &queue.queue_url());
    let builder = builder
        .env("MAX_PENDING_SEATS_PER_HOLDER", "4")
        .env("MAX_SEATS_PER_HOLDER", "6")
        .env("MAX_UNPAID_HOLDS", "0")
        .env("PARTNER_ALLOWANCE", "1");
    let instance = ready(builder).await;
    let mut partner = booking(4, &[]);
    partner["resource"] = json!("/partner/shows/{show_id}/bookings");
    partner["requestContext"]["resourcePath"] = json!("/partner/shows/{show_id}/bookings");
    partner["requestContext"]["identity"]["apiKeyId"] = json!("a1b2c3");
    let holders = [
        ("sub:ada", with_token(booking(4, &[]), "ada", "")),
        ("key:a1b2c3", partner),
        ("ip:192.0.2.1", booking(4, &[])),
        ("ip:192.0.2.2", from_address(booking(4, &[]), "192.0.2.2")),
        ("ip:2001:db8:0:1::", from_address(booking(4, &[]), "2001:db8:0:1:aaaa:bbbb:cccc:dddd")),
    ];
    for (holder, event) in &holders {
        assert_eq!(call(&instance, event).await.status, 201, "{holder}");
        let again = call(&instance, event).await;
        assert_eq!((again.status, again.problem()), (409, "pending-limit"), "{holder}");
        assert_eq!((&again.body["held_seats"], &again.body["max_seats"]), (&json!(4), &json!(4)));
        let held = "SELECT sum(seats) FROM bookings WHERE holder = $1";
        assert_eq!(client.query_one(held, &[holder]).await.unwrap().get::<_, i64>(0), 4, "{holder}");
    }
    // Confirmed seats no longer count as pending, but at most 6 seats are allowed in all.
    client.execute("UPDATE bookings SET status = 'CONFIRMED', settled_at = now()", &[]).await.unwrap();
    let more = call(&instance, &holders[0].1).await;
    assert_eq!((more.status, more.problem()), (409, "holder-limit"));
    assert_eq!((&more.body["held_seats"], &more.body["max_seats"]), (&json!(4), &json!(6)));
    assert_invariants(&client).await;

    // No hold may expire unpaid: after one, the holder waits for up to a minute.
    let let_go =
        "UPDATE bookings SET status = 'FAILED', failure_reason = 'expired', settled_at = now(), expires_at = now(),
        created_at = now() - interval '2 min' WHERE holder = 'ip:192.0.2.1'";
    client.execute(let_go, &[]).await.unwrap();
    let waits = call(&instance, &booking(1, &[])).await;
    assert_eq!((waits.status, waits.problem()), (429, "holder-waits"));
    let seconds: u32 = waits.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    assert_eq!(waits.header("ratelimit-policy"), Some("\"unpaid-holds\";q=0;w=3600"));
    assert_eq!(waits.header("ratelimit"), Some(format!("\"unpaid-holds\";r=0;t={seconds}").as_str()));
}

/// A request that did not come through the gateway has no holder and makes no booking.
#[tokio::test]
async fn request_without_a_source_address_makes_no_booking() {
    let database = Database::create().await;
    show(&database).await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let instance = ready(book(&database.url(), &queue.endpoint(), &queue.queue_url())).await;
    for address in [Value::Null, json!(""), json!("not an address")] {
        let mut event = booking(1, &[]);
        event["requestContext"]["identity"]["sourceIp"] = address.clone();
        assert_eq!(call(&instance, &event).await.status, 401, "{address}");
    }
    assert_eq!(crate::common::bookings(&database.client().await).await, 0);
    assert!(Holder::of_api_key("").is_err());
}

/// Only the gateway's source address counts, not a header. An API key that the gateway did not check does not count
/// either.
#[tokio::test]
async fn headers_cannot_change_the_source_address() {
    let database = Database::create().await;
    show(&database).await;
    let client = database.client().await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let builder = book(&database.url(), &queue.endpoint(), &queue.queue_url());
    let instance = ready(builder.env("MAX_PENDING_SEATS_PER_HOLDER", "2")).await;
    assert_eq!(call(&instance, &booking(2, &[])).await.status, 201);
    for (name, value) in [
        ("X-Forwarded-For", "203.0.113.9"),
        ("X-Forwarded-For", "203.0.113.9, 192.0.2.1"),
        ("Forwarded", "for=203.0.113.9"),
        ("X-Real-IP", "203.0.113.9"),
        ("True-Client-IP", "203.0.113.9"),
        ("CF-Connecting-IP", "203.0.113.9"),
        ("X-Amzn-Source-Ip", "203.0.113.9"),
        ("x-api-key", "a-key-of-nobody"),
    ] {
        let answer = call(&instance, &booking(1, &[(name, value)])).await;
        assert_eq!((answer.status, answer.problem()), (409, "pending-limit"), "{name}: {value}");
    }
    let holders = "SELECT string_agg(DISTINCT holder, ' ') FROM bookings";
    assert_eq!(client.query_one(holders, &[]).await.unwrap().get::<_, String>(0), "ip:192.0.2.1");
}
