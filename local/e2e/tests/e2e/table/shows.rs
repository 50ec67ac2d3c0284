//! Shows: create, change, get and list.

use boxoffice_e2e::{
    api::{Api, Call},
    database::Database,
    unique,
};
use serde_json::{Value, json};

use super::{START, hold};

#[tokio::test]
async fn create_show_returns_the_show_and_its_location() {
    let (api, name) = (Api::connect(), unique("show"));
    let new = json!({"name": name, "start_time": START, "total_seats": 7});
    let created = api.post_json("/admin/shows", &new).await;
    let show = created.expect(201);
    let expected = json!({"show_id": show["show_id"], "name": name, "start_time": START, "total_seats": 7,
        "reserved_seats": 0, "available_seats": 7, "max_seats_per_booking": 10, "pools": 1, "price_minor": null, "currency": null,
        "max_pending_seats_per_holder": null, "max_seats_per_holder": null});
    assert_eq!(*show, expected);
    let location = &created.location();
    assert_eq!(api.get(location).await.expect(200), show);
}

#[tokio::test]
async fn create_show_accepts_values_at_their_bounds() {
    let api = Api::connect();
    let name = "ä".repeat(200);
    for (total, max, pools) in [(1, 1, 1), (1_000_000, 1000, 256)] {
        let new = json!({"name": name, "start_time": START, "total_seats": total, "max_seats_per_booking": max, "pools": pools});
        let show = api.post_json("/admin/shows", &new).await.expect(201).clone();
        assert_eq!(show["available_seats"], total);
        assert_eq!((&show["max_seats_per_booking"], &show["pools"]), (&json!(max), &json!(pools)));
    }
}

#[tokio::test]
async fn create_show_lists_all_faults() {
    let api = Api::connect();
    let bad = json!({"name": " ", "start_time": "soon", "total_seats": 0, "max_seats_per_booking": 1001, "pools": 257, "price": 5});
    let answer = api.post_json("/admin/shows", &bad).await;
    answer.problem(422, "validation-failed");
    let all = ["/max_seats_per_booking", "/name", "/pools", "/price", "/start_time", "/total_seats"];
    assert_eq!(answer.pointers(), all);
    let empty = api.post_json("/admin/shows", &json!({})).await;
    empty.problem(422, "validation-failed");
    assert_eq!(empty.pointers(), ["/name", "/start_time", "/total_seats"]);
}

#[tokio::test]
async fn create_show_refuses_a_start_in_the_past() {
    let bad = json!({"name": unique("past"), "start_time": "2020-01-01T00:00:00Z", "total_seats": 1});
    let answer = Api::connect().post_json("/admin/shows", &bad).await;
    answer.problem(422, "validation-failed");
    assert_eq!(answer.pointers(), ["/start_time"]);
}

#[tokio::test]
async fn change_show_changes_the_pools_and_limits() {
    let api = Api::connect();
    let show_id = api.create_show(50).await;
    hold(&api, show_id, 3).await;
    let path = format!("/admin/shows/{show_id}");
    let change = |body: &Value| Call::new("PATCH", &path).json(body.to_string());
    for pools in [256, 4, 4, 1] {
        let show = api.send(change(&json!({"pools": pools}))).await.expect(200).clone();
        assert_eq!((&show["pools"], &show["available_seats"]), (&json!(pools), &json!(47)));
        assert_eq!(api.get(&format!("/shows/{show_id}")).await.expect(200), &show);
    }
    // The limits per holder. Omitted members stay as they are, and an empty change changes nothing.
    let (pending, in_all) = ("max_pending_seats_per_holder", "max_seats_per_holder");
    for (body, expected) in [
        (json!({pending: 2, in_all: 4, "pools": 2}), (json!(2), json!(4), json!(2))),
        (json!({pending: null}), (Value::Null, json!(4), json!(2))),
        (json!({}), (Value::Null, json!(4), json!(2))),
        (json!({in_all: null}), (Value::Null, Value::Null, json!(2))),
    ] {
        let show = api.send(change(&body)).await.expect(200).clone();
        assert_eq!((show[pending].clone(), show[in_all].clone(), show["pools"].clone()), expected, "{body}");
    }
    let bad = api.send(change(&json!({"pools": 257, "total_seats": 60, pending: 0, in_all: 1_000_001}))).await;
    bad.problem(422, "validation-failed");
    assert_eq!(bad.pointers(), ["/max_pending_seats_per_holder", "/max_seats_per_holder", "/pools", "/total_seats"]);
    let nowhere = Call::new("PATCH", "/admin/shows/999999999").json(json!({"pools": 1}).to_string());
    api.send(nowhere).await.problem(404, "show-not-found");
}

#[tokio::test]
async fn get_show_returns_existing_shows_only() {
    let (api, database) = (Api::connect(), Database::connect().await);
    let show_id = api.create_show(5).await;
    hold(&api, show_id, 2).await;
    let show = api.get(&format!("/shows/{show_id}")).await.expect(200).clone();
    assert_eq!(show["show_id"], show_id);
    // The hold may have ended already on a slow machine; the two always add up.
    assert_eq!(show["available_seats"].as_i64().unwrap() + show["reserved_seats"].as_i64().unwrap(), 5);
    database.start_show(show_id).await;
    api.get(&format!("/shows/{show_id}")).await.expect(200);
    for id in ["0", "-1", "01", "1.0", "abc", "99999999999999999999", "9000000000000", "%00", "1%27"] {
        api.get(&format!("/shows/{id}")).await.problem(404, "show-not-found");
    }
}

#[tokio::test]
async fn list_refuses_an_invalid_limit_or_cursor() {
    let api = Api::connect();
    for limit in ["0", "101", "-1", "1.5", "abc", "", "99999999999999999999", "+1", "%00"] {
        let answer = api.get(&format!("/shows?limit={limit}")).await;
        answer.problem(400, "malformed-request");
        assert_eq!(answer.pointers(), ["limit"], "limit={limit}");
    }
    let answer = api.get("/shows?cursor=made-up&limit=x").await;
    answer.problem(400, "malformed-request");
    assert_eq!(answer.pointers(), ["cursor", "limit"]);
    api.get("/shows?limit=1&limit=2").await.problem(400, "malformed-request");
    assert!(api.get("/shows").await.expect(200)["shows"].as_array().unwrap().len() <= 50, "50 is the default");
    // Unknown parameters are refused: one may be a misspelt known parameter.
    api.get("/shows?utm_source=news&limit=1").await.problem(400, "malformed-request");
}

#[tokio::test]
async fn create_show_with_the_same_key_creates_one_show() {
    let (api, key) = (Api::connect(), unique("key"));
    let show = json!({"name": unique("once"), "start_time": "2030-05-01T18:30:00Z", "total_seats": 7});
    let create = || Call::new("POST", "/admin/shows").header("idempotency-key", &key);
    let (first, second) = (create().json(show.to_string()), create().json(show.to_string()));
    let (first, second) = tokio::join!(api.send(first), api.send(second));
    assert_eq!(first.expect(201), second.expect(201));
    assert_eq!(first.location(), second.location());
    let replayed = [&first, &second].map(|answer| answer.header("idempotency-replayed"));
    assert!(replayed == [None, Some("true")] || replayed == [Some("true"), None], "{replayed:?}");
    let other = json!({"name": show["name"], "start_time": show["start_time"], "total_seats": 8});
    api.send(create().json(other.to_string())).await.problem(422, "idempotency-key-reused");
}
