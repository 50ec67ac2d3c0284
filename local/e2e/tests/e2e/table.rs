//! Every row of the HTTP table, with each answer that it documents. The answers' form is checked by the client.

use boxoffice_e2e::{
    api::{Answer, Api, Call},
    database::{Database, Seats},
    unique,
};
use serde_json::{Value, json};

const START: &str = "2030-05-01T18:30:00Z";
/// A show that is not there.
const NO_SHOW: i64 = 9_000_000_000_000;

fn absent_booking(show_id: i64) -> String {
    format!("{show_id}-019a5b7e-8f00-7abc-8def-0123456789ab")
}

/// Holds seats; where the booking is.
async fn hold(api: &Api, show_id: i64, seats: u32) -> String {
    let answer = api.book(show_id, seats).await;
    answer.expect(201);
    answer.location()
}

async fn book_with(api: &Api, show_id: i64, body: &Value) -> Answer {
    api.post_json(&format!("/shows/{show_id}/bookings"), body).await
}

#[tokio::test]
async fn create_show_answers_the_show_and_where_it_is() {
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
async fn create_show_takes_all_members_at_their_bounds() {
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
async fn create_show_tells_all_faults_at_once() {
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
async fn change_show_spreads_the_seats_anew() {
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
    // What one holder may have; what is left out stays, and an empty change is none.
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
async fn what_takes_a_body_says_what_is_wrong_with_it() {
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
        // Parameters of the media type are fine, and so is white space: what is wrong is told by the next check.
        let spaced = post().header("content-type", "Application/JSON; charset=utf-8").body(" { } ");
        api.send(spaced).await.problem(422, "validation-failed");
    }
    assert_eq!(api.available_seats(show_id).await, 5);
}

#[tokio::test]
async fn get_show_finds_what_is_there_and_nothing_else() {
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
async fn book_answers_a_hold_and_where_it_is() {
    let api = Api::connect();
    let show_id = api.create_show(5).await;
    let _kept = Database::keep_holds(show_id).await;
    let booked = api.book(show_id, 2).await;
    let booking = booked.expect(201);
    assert_eq!((&booking["show_id"], &booking["user_name"]), (&json!(show_id), &json!("Ada")));
    assert_eq!((&booking["seats"], &booking["status"]), (&json!(2), &json!("PENDING")));
    assert_eq!(booked.header("idempotency-replayed"), None);
    let location = &booked.location();
    assert_eq!(*location, format!("/bookings/{}", booking["booking_id"].as_str().unwrap()));
    assert_eq!(api.get(location).await.expect(200)["booking_id"], booking["booking_id"]);
    assert_eq!(api.available_seats(show_id).await, 3);
}

#[tokio::test]
async fn book_tells_how_many_seats_are_left() {
    let (api, database) = (Api::connect(), Database::connect().await);
    let show_id = api.create_show(5).await;
    let _kept = Database::keep_holds(show_id).await;
    hold(&api, show_id, 3).await;
    assert_eq!(api.book(show_id, 3).await.problem(409, "sold-out")["available_seats"], 2);
    hold(&api, show_id, 2).await;
    assert_eq!(api.book(show_id, 1).await.problem(409, "sold-out")["available_seats"], 0);
    assert_eq!(database.sound_seats(show_id).await, Seats { total: 5, free: 0, pending: 5, confirmed: 0 });
}

#[tokio::test]
async fn book_finds_seats_that_lie_in_several_pools() {
    let (api, database) = (Api::connect(), Database::connect().await);
    // Here one holder may have the whole house.
    let new =
        json!({"name": unique("pools"), "start_time": START, "total_seats": 8, "pools": 4, "max_seats_per_holder": 8});
    let show_id = api.create(&new).await;
    let _kept = Database::keep_holds(show_id).await;
    hold(&api, show_id, 7).await;
    hold(&api, show_id, 1).await;
    api.book(show_id, 1).await.problem(409, "sold-out");
    assert_eq!(database.sound_seats(show_id).await.free, 0);
}

#[tokio::test]
async fn book_refuses_a_show_that_is_not_there() {
    let api = Api::connect();
    api.book(NO_SHOW, 1).await.problem(404, "show-not-found");
    let body = json!({"user_name": "Ada", "seats": 1});
    api.post_json("/shows/abc/bookings", &body).await.problem(404, "show-not-found");
}

#[tokio::test]
async fn book_refuses_a_show_that_has_started() {
    let (api, database) = (Api::connect(), Database::connect().await);
    let show_id = api.create_show(5).await;
    database.start_show(show_id).await;
    api.book(show_id, 1).await.problem(409, "show-started");
    assert_eq!(database.bookings(show_id).await, 0);
}

#[tokio::test]
async fn book_says_when_to_come_back_while_the_seats_are_locked() {
    let (api, database) = (Api::connect(), Database::connect().await);
    let show_id = api.create_show(5).await;
    let _kept = Database::keep_holds(show_id).await;
    let lock = format!(
        "BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0;
         SELECT FROM seat_pools WHERE show_id = {show_id} FOR UPDATE"
    );
    database.client().batch_execute(&lock).await.unwrap();
    let busy = api.book(show_id, 1).await;
    busy.problem(503, "busy");
    assert_eq!(busy.header("retry-after"), Some("1"));
    database.client().batch_execute("ROLLBACK").await.unwrap();
    api.book(show_id, 1).await.expect(201);
    assert_eq!(database.bookings(show_id).await, 1);
}

#[tokio::test]
async fn book_tells_all_faults_at_once() {
    let (api, database) = (Api::connect(), Database::connect().await);
    let show_id = api.create_show(5).await;
    let wrong = book_with(&api, show_id, &json!({"user_name": 7, "seats": "2", "a/b~c": 1})).await;
    wrong.problem(422, "validation-failed");
    assert_eq!(wrong.pointers(), ["/a~1b~0c", "/seats", "/user_name"]);
    let missing = book_with(&api, show_id, &json!({})).await;
    missing.problem(422, "validation-failed");
    assert_eq!(missing.pointers(), ["/seats", "/user_name"]);
    assert_eq!(database.bookings(show_id).await, 0);
}

#[tokio::test]
async fn book_refuses_more_seats_than_the_show_allows_at_once() {
    let (api, database) = (Api::connect(), Database::connect().await);
    let new = json!({"name": unique("max"), "start_time": START, "total_seats": 9, "max_seats_per_booking": 3});
    let show_id = api.create(&new).await;
    let answer = api.book(show_id, 4).await;
    answer.problem(422, "validation-failed");
    assert_eq!(answer.pointers(), ["/seats"]);
    api.book(show_id, 3).await.expect(201);
    assert_eq!(database.bookings(show_id).await, 1);
}

#[tokio::test]
async fn book_again_with_the_key_is_the_same_booking() {
    let (api, database) = (Api::connect(), Database::connect().await);
    let (show_id, other_show) = (api.create_show(5).await, api.create_show(5).await);
    let _kept = Database::keep_holds(show_id).await;
    let key = unique("key");
    let first = api.book_with_key(show_id, 2, &key).await;
    assert_eq!(first.header("idempotency-replayed"), None);
    let again = api.book_with_key(show_id, 2, &key).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.expect(201)["booking_id"], first.expect(201)["booking_id"]);
    assert_eq!(again.header("location"), first.header("location"));

    api.book_with_key(show_id, 3, &key).await.problem(422, "idempotency-key-reused");
    // The key is one of its show: elsewhere it is new.
    let elsewhere = api.book_with_key(other_show, 2, &key).await;
    elsewhere.expect(201);
    assert_eq!(elsewhere.header("idempotency-replayed"), None);
    assert_eq!(database.bookings(show_id).await, 1);
    assert_eq!(database.sound_seats(show_id).await.free, 3);
}

#[tokio::test]
async fn book_again_with_the_key_shows_what_became_of_the_booking() {
    let (api, database) = (Api::connect(), Database::connect().await);
    let new = json!({"name": unique("keys"), "start_time": START, "total_seats": 5, "max_seats_per_holder": 5});
    let show_id = api.create(&new).await;
    let _kept = Database::keep_holds(show_id).await;
    let key = unique("key");
    let first = api.book_with_key(show_id, 5, &key).await;
    api.post(&format!("{}/confirm", first.location())).await.expect(200);
    // Neither that the show is sold out now nor that it has started matters: nothing is booked.
    database.start_show(show_id).await;
    let again = api.book_with_key(show_id, 5, &key).await;
    assert_eq!(again.expect(201)["status"], "CONFIRMED");
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
}

#[tokio::test]
async fn book_refuses_a_key_that_cannot_be_one() {
    let (api, database) = (Api::connect(), Database::connect().await);
    let show_id = api.create_show(5).await;
    let _kept = Database::keep_holds(show_id).await;
    for key in ["k".repeat(256).as_str(), "two words", "schlüssel"] {
        let answer = api.book_with_key(show_id, 1, key).await;
        answer.problem(400, "malformed-request");
        assert_eq!(answer.pointers(), ["Idempotency-Key"]);
    }
    assert_eq!(database.bookings(show_id).await, 0);
    api.book_with_key(show_id, 1, &"k".repeat(255)).await.expect(201);
}

#[tokio::test]
async fn confirm_again_is_the_same_answer() {
    let (api, database) = (Api::connect(), Database::connect().await);
    let show_id = api.create_show(5).await;
    let _kept = Database::keep_holds(show_id).await;
    let path = hold(&api, show_id, 2).await;
    let first = api.post(&format!("{path}/confirm")).await.expect(200).clone();
    assert_eq!(first["status"], "CONFIRMED");
    let again = api.post(&format!("{path}/confirm")).await.expect(200).clone();
    assert_eq!(again, first);
    assert_eq!(*api.get(&path).await.expect(200), first);
    api.delete(&path).await.problem(409, "booking-confirmed");
    assert_eq!(database.sound_seats(show_id).await, Seats { total: 5, free: 3, pending: 0, confirmed: 2 });
}

#[tokio::test]
async fn cancel_again_is_the_same_answer() {
    let (api, database) = (Api::connect(), Database::connect().await);
    let show_id = api.create_show(5).await;
    let _kept = Database::keep_holds(show_id).await;
    let path = hold(&api, show_id, 2).await;
    let first = api.delete(&path).await.expect(200).clone();
    assert_eq!((&first["status"], &first["failure_reason"]), (&json!("FAILED"), &json!("cancelled")));
    let again = api.delete(&path).await.expect(200).clone();
    assert_eq!(again, first);
    api.post(&format!("{path}/confirm")).await.problem(409, "booking-cancelled");
    assert_eq!(database.sound_seats(show_id).await, Seats { total: 5, free: 5, pending: 0, confirmed: 0 });
}

#[tokio::test]
async fn a_booking_that_is_not_there_is_not_found() {
    let api = Api::connect();
    let show_id = api.create_show(5).await;
    let good = absent_booking(show_id);
    let ids = [
        good.clone(),
        absent_booking(NO_SHOW),
        good.to_uppercase(),
        good.replacen('-', "", 1),
        "xyz".into(),
        "%00".into(),
    ];
    for id in ids {
        api.get(&format!("/bookings/{id}")).await.problem(404, "booking-not-found");
        api.delete(&format!("/bookings/{id}")).await.problem(404, "booking-not-found");
        api.post(&format!("/bookings/{id}/confirm")).await.problem(404, "booking-not-found");
    }
}

#[tokio::test]
async fn list_refuses_a_limit_or_a_cursor_that_cannot_be_one() {
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
    // A parameter that is not known is not passed over: it may be a known one that is misspelt.
    api.get("/shows?utm_source=news&limit=1").await.problem(400, "malformed-request");
}

#[tokio::test]
async fn a_subject_is_exported_and_erased() {
    let (api, database) = (Api::connect(), Database::connect().await);
    let show_id = api.create_show(5).await;
    let (mine, other) = (hold(&api, show_id, 2).await, hold(&api, show_id, 1).await);
    let subject = unique("subject");
    let holds = "UPDATE bookings SET holder = 'sub:' || $1::text WHERE '/bookings/' || show_id || '-' || id = $2";
    assert_eq!(database.client().execute(holds, &[&subject, &mine]).await.unwrap(), 1);
    let path = format!("/admin/subjects/bookings?subject={subject}");
    let kept = api.get(&format!("{path}&limit=1")).await.expect(200).clone();
    assert_eq!((kept["bookings"].as_array().unwrap().len(), &kept["next_cursor"]), (1, &Value::Null));
    let booking = &kept["bookings"][0]["booking"];
    assert_eq!(
        (format!("/bookings/{}", booking["booking_id"].as_str().unwrap()), &booking["user_name"]),
        (mine.clone(), &json!("Ada"))
    );
    for erased in [1, 0] {
        assert_eq!(*api.delete(&path).await.expect(200), json!({"erased": erased, "more": false}));
    }
    assert_eq!(*api.get(&path).await.expect(200), json!({"bookings": [], "next_cursor": null}));
    let names = "SELECT user_name FROM bookings WHERE '/bookings/' || show_id || '-' || id = $1";
    for (path, expected) in [(&mine, "(erased)"), (&other, "Ada")] {
        let name: String = database.client().query_one(names, &[path]).await.unwrap().get(0);
        assert_eq!(name, expected);
    }
}

#[tokio::test]
async fn a_subject_that_is_missing_doubled_or_none_is_refused() {
    let api = Api::connect();
    let long = format!("?subject={}", "a".repeat(256));
    for query in ["", "?subject=", "?subject=a%00b", "?subject=a&subject=b", &long] {
        let path = format!("/admin/subjects/bookings{query}");
        for answer in [api.get(&path).await, api.delete(&path).await] {
            answer.problem(400, "malformed-request");
            assert_eq!(answer.pointers(), ["subject"], "{path}");
        }
    }
}

#[tokio::test]
async fn what_is_no_route_is_not_found() {
    let api = Api::connect();
    for (method, path) in
        [("GET", "/"), ("GET", "/nothing"), ("GET", "/bookings"), ("POST", "/admin"), ("PUT", "/shows/1/2")]
    {
        api.send(Call::new(method, path)).await.problem(404, "route-not-found");
    }
}

#[tokio::test]
async fn a_method_that_a_path_does_not_have_is_405_without_a_token() {
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
async fn head_is_answered_as_get() {
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

#[tokio::test]
async fn a_show_is_made_once_for_each_key() {
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
