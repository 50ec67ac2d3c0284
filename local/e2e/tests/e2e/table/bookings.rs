//! Existing bookings: confirm, cancel, and missing ones.

use boxoffice_e2e::{
    api::Api,
    database::{Database, Seats},
};
use serde_json::json;

use super::{NO_SHOW, absent_booking, hold};

#[tokio::test]
async fn confirm_twice_returns_the_same_answer() {
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
async fn cancel_twice_returns_the_same_answer() {
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
async fn a_missing_booking_is_not_found() {
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
