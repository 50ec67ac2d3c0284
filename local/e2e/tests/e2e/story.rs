//! The main story: a show is created and booked. One hold is paid for and confirmed. The other expires, and its seats
//! return.

use std::time::Duration;

use boxoffice_e2e::{
    api::Api,
    database::{Database, Seats},
    poll, setting, unique,
};
use jiff::Timestamp;
use serde_json::{Value, json};

/// The time limit from a hold's expiry to the release of its seats. The message takes a second; the rest is for a slow
/// machine. It is far below the sweep's period of one minute.
const EXPIRY_LIMIT: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_confirmed_booking_stays_and_an_expired_one_releases_its_seats() {
    let (api, database) = (Api::connect(), Database::connect().await);

    let name = unique("story");
    let new = json!({"name": name, "start_time": "2030-05-01T20:30:00+02:00", "total_seats": 10});
    let created = api.post_json("/admin/shows", &new).await;
    let show = created.expect(201);
    let show_id = show["show_id"].as_i64().unwrap();
    assert_eq!(show["start_time"], "2030-05-01T18:30:00Z");
    assert_eq!(created.location(), format!("/shows/{show_id}"));
    assert!(is_listed(&api, show_id).await);

    let paid = book_and_confirm(&api, show_id).await;
    let unpaid = api.book(show_id, 3).await;
    let unpaid_path = &unpaid.location();
    assert_eq!(unpaid.expect(201)["status"], "PENDING");

    let failed = poll::until("the unpaid hold expires", EXPIRY_LIMIT, async || {
        let booking = api.get(unpaid_path).await.expect(200).clone();
        (booking["status"] == "FAILED").then_some(booking)
    })
    .await;
    assert_eq!(failed["failure_reason"], "expired");
    assert!(time(&failed["settled_at"]) >= time(&failed["expires_at"]), "{failed}");
    api.post(&format!("{unpaid_path}/confirm")).await.problem(409, "booking-expired");
    api.delete(unpaid_path).await.problem(409, "booking-expired");

    assert_eq!(api.get(&paid).await.expect(200)["status"], "CONFIRMED");
    assert_eq!(api.available_seats(show_id).await, 8);
    assert_eq!(database.sound_seats(show_id).await, Seats { total: 10, free: 8, pending: 0, confirmed: 2 });
}

#[tokio::test]
async fn a_hold_lasts_as_long_as_configured() {
    let api = Api::connect();
    let show_id = api.create_show(4).await;
    let booking = api.book(show_id, 1).await.expect(201).clone();
    let hold = time(&booking["expires_at"]) - time(&booking["created_at"]);
    let deployed: f64 = setting::required("BOXOFFICE_HOLD_SECONDS").parse().unwrap();
    assert_eq!(hold.total(jiff::Unit::Second).unwrap(), deployed, "{booking}");
}

/// Books and confirms two seats, and returns the booking's path. Holds last a few seconds. If the machine is too slow
/// to confirm in time, it books again, as a buyer would.
async fn book_and_confirm(api: &Api, show_id: i64) -> String {
    for _ in 0..5 {
        let booked = api.book(show_id, 2).await;
        assert_eq!(booked.expect(201)["status"], "PENDING");
        let path = booked.location();
        let confirmed = api.post(&format!("{path}/confirm")).await;
        if confirmed.status() == 200 {
            assert_eq!(confirmed.expect(200)["status"], "CONFIRMED");
            return path;
        }
        confirmed.problem(409, "booking-expired");
        // Wait for the release of the seats, so that the story's figures stay the same.
        poll::until("the hold that was not confirmed in time expires", EXPIRY_LIMIT, async || {
            (api.get(&path).await.expect(200)["status"] == "FAILED").then_some(())
        })
        .await;
    }
    panic!("five holds expired before they could be confirmed");
}

async fn is_listed(api: &Api, show_id: i64) -> bool {
    let mut cursor = String::new();
    loop {
        let page = api.get(&format!("/shows?limit=100{cursor}")).await.expect(200).clone();
        if page["shows"].as_array().unwrap().iter().any(|show| show["show_id"] == show_id) {
            return true;
        }
        let Some(next) = page["next_cursor"].as_str() else { return false };
        cursor = format!("&cursor={next}");
    }
}

fn time(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}
