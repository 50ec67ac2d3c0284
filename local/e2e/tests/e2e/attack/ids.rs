//! Guessed ids. The answers for another user's booking and for a missing one are identical.

use boxoffice_e2e::{
    api::{Answer, Api, Call},
    database::Database,
    token::mint,
    unique,
};
use serde_json::json;

use super::with_each;

/// The calls on a booking that need no scope.
const CALLS: [(&str, &str); 3] = [("GET", ""), ("POST", "/extend"), ("DELETE", "")];

/// The answers to the three calls on the booking `id`, made by this subject or without a token.
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

/// The same UUID with the ids of other shows.
fn of_other_shows(id: &str, other_show: i64) -> Vec<String> {
    let (show_id, uuid) = id.split_once('-').unwrap();
    let show_id: i64 = show_id.parse().unwrap();
    let shows = [show_id - 1, show_id + 1, other_show, 1].into_iter().filter(|other| *other != show_id);
    shows.map(|other| format!("{other}-{uuid}")).collect()
}

/// The same id with one hexadecimal digit of its UUID changed, for each digit.
fn neighbours(id: &str) -> Vec<String> {
    let (show_id, uuid) = id.split_once('-').unwrap();
    let mut near = Vec::new();
    for (at, digit) in uuid.char_indices() {
        // Keep the version digit, so that the id stays valid. The first 12 digits are a time: they are changed too.
        let Some(value) = digit.to_digit(16).filter(|_| at != 14) else { continue };
        let flipped = char::from_digit(value ^ 1, 16).unwrap();
        near.push(format!("{show_id}-{}{flipped}{}", &uuid[..at], &uuid[at + 1..]));
    }
    near
}

/// Other spellings, and near misses, of the same id.
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
async fn a_guessed_id_is_not_found_however_close_it_is() {
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
            // The gateway itself refuses some of these paths.
            let answer = api.send(Call::new(method, &format!("/bookings/{guess}{action}"))).await;
            assert!(matches!(answer.status(), 403 | 404), "{method} {guess}: {} {}", answer.status(), answer.body);
        }
    })
    .await;
    // The real booking still holds its seat.
    assert_eq!(api.get(&format!("/bookings/{id}")).await.expect(200)["status"], "PENDING");
    assert_eq!(database.sound_seats(show_id).await.pending, 1);
}

#[tokio::test]
async fn another_users_booking_looks_like_a_missing_one() {
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
    // The booking's state makes no difference to other users.
    api.post(&format!("/bookings/{hers}/confirm")).await.expect(200);
    assert_eq!(looks(&api, &hers, Some(&eve)).await, nowhere);
    let own = api.send(Call::new("GET", &format!("/bookings/{hers}")).token(&mint(&ada, ""))).await;
    assert_eq!(own.expect(200)["status"], "CONFIRMED");
    // An operator can read it but not cancel it.
    let reader = mint("operator", "bookings:read");
    let path = format!("/bookings/{hers}");
    api.send(Call::new("GET", &path).token(&reader)).await.expect(200);
    api.send(Call::new("DELETE", &path).token(&reader)).await.problem(404, "booking-not-found");
    // A booking made without a token has no owner: its id gives access, with any token or none.
    let path = format!("/bookings/{anybodys}");
    api.send(Call::new("GET", &path).token(&mint(&eve, ""))).await.expect(200);
}

/// A caller who reuses another user's idempotency key gets a booking of their own.
#[tokio::test]
async fn another_users_idempotency_key_does_not_reveal_their_booking() {
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
    // The form in the database column, "holder key": a client's key cannot contain a space.
    let call =
        Call::new("POST", &format!("/shows/{show_id}/bookings")).header("idempotency-key", format!("sub:{ada} {key}"));
    let answer = api.send(call.json(r#"{"user_name":"Ada","seats":1}"#).anonymous()).await;
    answer.problem(400, "malformed-request");
    let again = book(&mint(&ada, ""), &key).await;
    assert_eq!(again.expect(201)["booking_id"], hers.body["booking_id"]);
}
