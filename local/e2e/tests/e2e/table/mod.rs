//! Every documented answer of the API's routes. The client checks each answer's form.

mod book;
mod bookings;
mod routes;
mod shows;
mod subjects;

use boxoffice_e2e::api::{Answer, Api};
use serde_json::Value;

const START: &str = "2030-05-01T18:30:00Z";
/// The id of a show that does not exist.
const NO_SHOW: i64 = 9_000_000_000_000;

/// A well-formed id of a booking that does not exist.
fn absent_booking(show_id: i64) -> String {
    format!("{show_id}-019a5b7e-8f00-7abc-8def-0123456789ab")
}

/// Holds seats and returns the booking's path.
async fn hold(api: &Api, show_id: i64, seats: u32) -> String {
    let answer = api.book(show_id, seats).await;
    answer.expect(201);
    answer.location()
}

async fn book_with(api: &Api, show_id: i64, body: &Value) -> Answer {
    api.post_json(&format!("/shows/{show_id}/bookings"), body).await
}
