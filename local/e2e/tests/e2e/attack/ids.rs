//! Ids that are guessed. What is another's and what is not there cannot be told apart.

use boxoffice_e2e::{
    api::{Answer, Api, Call},
    database::Database,
    token::mint,
    unique,
};
use serde_json::json;

use super::with_each;

/// The calls of a booking that anybody may try.
const CALLS: [(&str, &str); 3] = [("GET", ""), ("POST", "/extend"), ("DELETE", "")];

/// The three answers to what `id` leads to, by this caller: `None` without a token.
async fn looks(api: &Api, id: &str, subject: Option<&str>) -> Vec<String> {
    let mut looks = Vec::new();
    for (method, action) in CALLS {
        let call = Call::new(method, &format!("/bookings/{id}{action}"));
        let call = match subject {
            Some(subject) => call.token(&mint(subject, "shows:write payments:read")),
            None => call.anonymous(),
        };
        looks.push(api.send(call).await.looks());
    }
    looks
}

async fn book(api: &Api, show_id: i64, subject: Option<&str>) -> String {
    let call = Call::new("POST", &format!("/shows/{show_id}/bookings")).json(r#"{"user_name":"Ada","seats":1}"#);
    let call = subject.map_or(call.clone(), |subject| call.token(&mint(subject, "")));
    api.send(call).await.expect(201)["booking_id"].as_str().unwrap().to_owned()
}

/// Ids of other shows with this uuid.
fn of_other_shows(id: &str, other_show: i64) -> Vec<String> {
    let (show_id, uuid) = id.split_once('-').unwrap();
    let show_id: i64 = show_id.parse().unwrap();
    let shows = [show_id - 1, show_id + 1, other_show, 1].into_iter().filter(|other| *other != show_id);
    shows.map(|other| format!("{other}-{uuid}")).collect()
}

/// Ids of this show with one hexadecimal digit changed.
fn neighbours(id: &str) -> Vec<String> {
    let (show_id, uuid) = id.split_once('-').unwrap();
    let mut near = Vec::new();
    for (at, digit) in uuid.char_indices() {
        // The version stays one, so that it is still an id. The first 12 digits are a time: one earlier, one later.
        let Some(value) = digit.to_digit(16).filter(|_| at != 14) else { continue };
        let flipped = char::from_digit(value ^ 1, 16).unwrap();
        near.push(format!("{show_id}-{}{flipped}{}", &uuid[..at], &uuid[at + 1..]));
    }
    near
}

/// The same id in words that another reader might take for it.
fn spellings(id: &str) -> Vec<String> {
    let (show_id, uuid) = id.split_once('-').unwrap();
    vec![
        id.to_uppercase(),
        format!("0{id}"),
        format!("+{id}"),
        format!("%20{id}"),
        format!("{id}%20"),
        format!("{id}%00"),
        format!("{id}%0a"),
        format!("{show_id}-{{{uuid}}}"),
        format!("{show_id}-{}", uuid.replace('-', "")),
        format!("{show_id}.0-{uuid}"),
        format!("-{id}"),
        format!("{show_id}--{uuid}"),
        uuid.to_owned(),
        show_id.to_owned(),
        format!("{id}'--"),
        format!("{id};"),
        format!("{id},{id}"),
        "*".to_owned(),
        "null".to_owned(),
        "undefined".to_owned(),
    ]
}

#[tokio::test]
async fn a_guessed_id_leads_nowhere_and_does_not_say_how_near_it_was() {
    let (api, database) = (Api::connect(), Database::connect().await);
    let (show_id, other) = (api.create_show(10).await, api.create_show(10).await);
    let _kept = Database::keep_holds(show_id).await;
    let id = book(&api, show_id, None).await;
    let nowhere = looks(&api, &format!("{show_id}-019a5b7e-8f00-7abc-8def-0123456789ab"), None).await;
    for guess in of_other_shows(&id, other) {
        assert_eq!(looks(&api, &guess, None).await, nowhere, "{guess}");
    }
    with_each(neighbours(&id).into_iter().zip(CALLS.into_iter().cycle()), |(guess, (method, action))| {
        let (api, nowhere) = (api.clone(), nowhere[0].clone());
        async move {
            let answer = api.send(Call::new(method, &format!("/bookings/{guess}{action}")).anonymous()).await;
            assert_eq!(answer.looks(), nowhere, "{method} {guess}");
        }
    })
    .await;
    with_each(spellings(&id).into_iter().zip(CALLS.into_iter().cycle()), |(guess, (method, action))| {
        let api = api.clone();
        async move {
            // Some are no path that the gateway lets through: whatever it says, it is not the booking.
            let answer = api.send(Call::new(method, &format!("/bookings/{guess}{action}"))).await;
            assert!(matches!(answer.status(), 403 | 404), "{method} {guess}: {} {}", answer.status(), answer.body);
        }
    })
    .await;
    // The one that was not guessed still holds its seat.
    assert_eq!(api.get(&format!("/bookings/{id}")).await.expect(200)["status"], "PENDING");
    assert_eq!(database.sound_seats(show_id).await.pending, 1);
}

#[tokio::test]
async fn anothers_booking_looks_as_if_it_were_not_there() {
    let api = Api::connect();
    let show_id = api.create_show(10).await;
    let _kept = Database::keep_holds(show_id).await;
    let (ada, eve) = (unique("ada"), unique("eve"));
    let (hers, anybodys) = (book(&api, show_id, Some(&ada)).await, book(&api, show_id, None).await);
    let nowhere = looks(&api, &format!("{show_id}-019a5b7e-8f00-7abc-8def-0123456789ab"), None).await;
    let prefix = &ada[..ada.len() - 1];
    for subject in [None, Some(eve.as_str()), Some(prefix), Some("sub:"), Some(&*format!("sub:{ada}"))] {
        assert_eq!(looks(&api, &hers, subject).await, nowhere, "{subject:?}");
    }
    // Nor does its state make a difference, for those whose it is not.
    api.post(&format!("/bookings/{hers}/confirm")).await.expect(200);
    assert_eq!(looks(&api, &hers, Some(&eve)).await, nowhere);
    let own = api.send(Call::new("GET", &format!("/bookings/{hers}")).token(&mint(&ada, ""))).await;
    assert_eq!(own.expect(200)["status"], "CONFIRMED");
    // An operator reads it, and does not thereby own it.
    let reader = mint("operator", "bookings:read");
    let path = format!("/bookings/{hers}");
    api.send(Call::new("GET", &path).token(&reader)).await.expect(200);
    api.send(Call::new("DELETE", &path).token(&reader)).await.problem(404, "booking-not-found");
    // An id is a capability where nobody owns the booking: with a token as well as without.
    let path = format!("/bookings/{anybodys}");
    api.send(Call::new("GET", &path).token(&mint(&eve, ""))).await.expect(200);
}

/// Somebody who knows another's idempotency key gets a booking of their own, not the other's.
#[tokio::test]
async fn anothers_idempotency_key_does_not_tell_the_others_booking() {
    let api = Api::connect();
    let show_id = api.create_show(10).await;
    let (ada, eve, key) = (unique("ada"), unique("eve"), unique("key"));
    let book = async |token: &str, key: &str| -> Answer {
        let call = Call::new("POST", &format!("/shows/{show_id}/bookings")).header("idempotency-key", key);
        api.send(call.json(json!({"user_name": "Ada", "seats": 1}).to_string()).token(token)).await
    };
    let hers = book(&mint(&ada, ""), &key).await;
    hers.expect(201);
    for subject in [eve.as_str(), "sub:", &ada[..ada.len() - 1]] {
        let theirs = book(&mint(subject, ""), &key).await;
        assert_ne!(theirs.expect(201)["booking_id"], hers.body["booking_id"]);
        assert_eq!(theirs.header("idempotency-replayed"), None);
    }
    // As the column has it: no key of a client's has a space.
    let call =
        Call::new("POST", &format!("/shows/{show_id}/bookings")).header("idempotency-key", format!("sub:{ada} {key}"));
    let answer = api.send(call.json(r#"{"user_name":"Ada","seats":1}"#).anonymous()).await;
    answer.problem(400, "malformed-request");
    let again = book(&mint(&ada, ""), &key).await;
    assert_eq!(again.expect(201)["booking_id"], hers.body["booking_id"]);
}
