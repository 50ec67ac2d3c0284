//! JSON bodies, parsed as the handlers parse them.

use base64::{Engine, engine::general_purpose::STANDARD};
use boxoffice_functions::http::{Fields, Problem, Request};
use boxoffice_shared::{
    bookings::UserName,
    inventory::{Pools, SeatCount, TotalSeats},
    money::Price,
    shows::ShowName,
};
use jiff::Timestamp;
use serde_json::{Value, json};

/// The longest problem document, in bytes: 20 faults, each with a sentence and a shortened name, escaped for JSON.
pub(crate) const MAX_DOCUMENT: usize = 20 * 1024;

/// Input: a body, parsed as a booking and as a new show.
pub fn bodies(data: &[u8]) {
    if let Some((user_name, seats)) = accepted(data, booking, &["user_name", "seats"]) {
        let written = written(data);
        assert_eq!(written["user_name"], user_name.as_str());
        assert_eq!(written["seats"].as_f64(), Some(f64::from(seats.get())));
    }
    let members =
        ["name", "start_time", "total_seats", "max_seats_per_booking", "pools", "price_minor", "currency"].as_slice();
    if let Some((name, start_time, total_seats, price)) = accepted(data, show, members) {
        let written = written(data);
        assert_eq!(written["name"], name.as_str());
        let text = written["start_time"].as_str().expect("a text");
        assert!(text.bytes().all(|b| b.is_ascii_digit() || b"-:.+TtZz".contains(&b)), "{text:?}");
        // jiff accepts more than RFC 3339, but at most nine digits of a fraction.
        if text.split_once('.').is_none_or(|(_, rest)| rest.bytes().take_while(u8::is_ascii_digit).count() <= 9) {
            assert_eq!(text.to_uppercase().parse().ok(), Some(start_time), "{text:?}");
        }
        assert_eq!(written["total_seats"].as_f64(), Some(f64::from(total_seats.get())));
        let amount = price.map(|price| price.money().minor() as f64);
        assert_eq!(written["price_minor"].as_f64(), amount);
    }
}

/// Returns the parsed body if it is accepted. Asserts that it is then an object with only these members, and that one
/// more member is refused.
fn accepted<T>(data: &[u8], read: impl Fn(&[u8]) -> Result<T, Problem>, members: &[&str]) -> Option<T> {
    match read(data) {
        Ok(input) => {
            let written = written(data);
            let object = written.as_object().expect("an object");
            assert!(object.keys().all(|name| members.contains(&name.as_str())), "unknown members: {object:?}");
            for name in object.keys().map(String::as_str).chain(["another", "", " ", "Seats"]) {
                assert_eq!(faults(&with(name, data), &read), Some(vec![format!("/{name}")]), "{object:?}");
            }
            Some(input)
        }
        Err(problem) => {
            let document = problem.document().to_string();
            assert!(problem.status().is_client_error(), "{document}");
            assert!(document.len() <= MAX_DOCUMENT, "the problem document has {} bytes", document.len());
            None
        }
    }
}

/// Adds a member to the front of the object.
fn with(name: &str, data: &[u8]) -> Vec<u8> {
    let open = data.iter().position(|byte| *byte == b'{').expect("an object");
    let mut body = format!("{{{name:?}:null,").into_bytes();
    body.extend(&data[open + 1..]);
    body
}

/// The JSON pointers of the faults.
fn faults<T>(data: &[u8], read: impl Fn(&[u8]) -> Result<T, Problem>) -> Option<Vec<String>> {
    let document = read(data).err()?.document();
    let errors = document["errors"].as_array()?;
    let mut pointers: Vec<_> = errors.iter().filter_map(|e| e["pointer"].as_str().map(str::to_owned)).collect();
    pointers.dedup();
    Some(pointers)
}

fn booking(data: &[u8]) -> Result<(UserName, SeatCount), Problem> {
    let mut fields = Fields::read(&request(data))?;
    let members = (fields.required("user_name"), fields.required("seats"));
    fields.finish(members)
}

fn show(data: &[u8]) -> Result<(ShowName, Timestamp, TotalSeats, Option<Price>), Problem> {
    let mut fields = Fields::read(&request(data))?;
    let (name, start_time, total_seats) =
        (fields.required("name"), fields.required("start_time"), fields.required("total_seats"));
    let max = fields.optional("max_seats_per_booking", SeatCount::DEFAULT_MAX);
    let pools = fields.optional("pools", Pools::ONE);
    let price = fields.price();
    let members = (name, start_time, total_seats, max, pools, price);
    fields.finish(members).map(|(name, start_time, seats, _, _, price)| (name, start_time, seats, price))
}

fn request(data: &[u8]) -> Request {
    let headers = json!({ "content-type": "application/json" });
    let event = json!({ "headers": headers, "body": STANDARD.encode(data), "isBase64Encoded": true });
    Request::read(&event.to_string()).expect("a request")
}

/// The body as serde_json parses it.
fn written(data: &[u8]) -> Value {
    serde_json::from_slice(data).expect("JSON")
}
