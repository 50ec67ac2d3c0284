//! Booking seats: holds, refusals and idempotency keys.

use boxoffice_e2e::{
    api::Api,
    database::{Database, Seats},
    unique,
};
use serde_json::json;

use super::{NO_SHOW, START, book_with, hold};

#[tokio::test]
async fn book_returns_a_hold_and_its_location() {
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
async fn book_answers_sold_out_with_the_free_seats() {
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
async fn book_takes_seats_from_several_pools() {
    let (api, database) = (Api::connect(), Database::connect().await);
    // In this show, one holder may have all seats.
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
async fn book_refuses_a_missing_show() {
    let api = Api::connect();
    api.book(NO_SHOW, 1).await.problem(404, "show-not-found");
    let body = json!({"user_name": "Ada", "seats": 1});
    api.post_json("/shows/abc/bookings", &body).await.problem(404, "show-not-found");
}

#[tokio::test]
async fn book_refuses_a_started_show() {
    let (api, database) = (Api::connect(), Database::connect().await);
    let show_id = api.create_show(5).await;
    database.start_show(show_id).await;
    api.book(show_id, 1).await.problem(409, "show-started");
    assert_eq!(database.bookings(show_id).await, 0);
}

#[tokio::test]
async fn book_answers_busy_with_retry_after_while_the_seats_are_locked() {
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
async fn book_lists_all_faults() {
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
async fn book_refuses_more_seats_than_the_show_allows_per_booking() {
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
async fn book_with_the_same_key_returns_the_same_booking() {
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
    // A key belongs to its show. For another show it is a new key.
    let elsewhere = api.book_with_key(other_show, 2, &key).await;
    elsewhere.expect(201);
    assert_eq!(elsewhere.header("idempotency-replayed"), None);
    assert_eq!(database.bookings(show_id).await, 1);
    assert_eq!(database.sound_seats(show_id).await.free, 3);
}

#[tokio::test]
async fn book_with_the_same_key_returns_the_current_state() {
    let (api, database) = (Api::connect(), Database::connect().await);
    let new = json!({"name": unique("keys"), "start_time": START, "total_seats": 5, "max_seats_per_holder": 5});
    let show_id = api.create(&new).await;
    let _kept = Database::keep_holds(show_id).await;
    let key = unique("key");
    let first = api.book_with_key(show_id, 5, &key).await;
    api.post(&format!("{}/confirm", first.location())).await.expect(200);
    // The show is sold out and has started. That does not matter, because a replay books nothing.
    database.start_show(show_id).await;
    let again = api.book_with_key(show_id, 5, &key).await;
    assert_eq!(again.expect(201)["status"], "CONFIRMED");
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
}

#[tokio::test]
async fn book_refuses_an_invalid_key() {
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
