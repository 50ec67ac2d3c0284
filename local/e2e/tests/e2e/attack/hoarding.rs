//! Somebody who wants all the seats, and pays for none.
//!
//! MiniStack takes the caller's address from `X-Forwarded-For`, so each attacker here sends a fixed one. On AWS that header is
//! the client's word, which nobody asks for: the address is `identity.sourceIp`, that of the connection to the gateway, and
//! `functions/tests/callers.rs` shows that a function looks at nothing else.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use boxoffice_e2e::{
    api::{Answer, Api, Call, somebody},
    database::Database,
    poll,
    token::mint,
    unique,
};
use serde_json::json;
use tokio::task::JoinSet;

/// Connections of a hoarder, and what each of them asks for: seats, one after another.
const CONNECTIONS: usize = 50;
const ATTEMPTS: usize = 3;

/// What the deployment lets one holder hold of a show that is not paid.
const MAX_PENDING: i64 = 10;

/// The holds of a show that one holder may let end in an hour.
const MAX_UNPAID: i64 = 5;

/// From a hold's end to its seats' return.
const EXPIRY_LIMIT: Duration = Duration::from_secs(60);

fn book(show_id: i64) -> Call {
    Call::new("POST", &format!("/shows/{show_id}/bookings")).json(r#"{"user_name":"Ada","seats":1}"#)
}

/// Seats of the show that this holder holds at this moment.
async fn held(database: &Database, show_id: i64, holder: &str) -> i64 {
    let sql = "SELECT coalesce(sum(seats), 0) FROM bookings WHERE show_id = $1 AND holder = $2 AND status = 'PENDING'";
    database.client().query_one(sql, &[&show_id, &holder]).await.unwrap().get(0)
}

/// The most that the holder held at any of the moments that were looked at, until `ends` is set.
async fn most_held(show_id: i64, holder: String, ends: Arc<AtomicBool>) -> i64 {
    let database = Database::connect().await;
    let mut most = 0;
    while !ends.load(Ordering::Relaxed) {
        most = most.max(held(&database, show_id, &holder).await);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    most
}

/// Books by 50 connections at once as `call` says; every answer.
async fn hoard(call: impl Fn() -> Call) -> Vec<Answer> {
    let mut connections = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (api, calls): (_, Vec<_>) = (Api::connect(), (0..ATTEMPTS).map(|_| call()).collect());
        connections.spawn(async move {
            let mut answers = Vec::new();
            for call in calls {
                answers.push(api.send(call).await);
            }
            answers
        });
    }
    connections.join_all().await.concat()
}

/// Never more than the limit, and as much as that: the limit refuses nobody who is within it.
async fn holds_no_more_than_the_limit(holder: &str, call: impl Fn(Call) -> Call) {
    let (api, database) = (Api::connect(), Database::connect().await);
    let show_id = api.create_show(400).await;
    // Else the first would be back before the last has asked.
    let _kept = Database::keep_holds(show_id).await;
    let ends = Arc::new(AtomicBool::new(false));
    let watch = tokio::spawn(most_held(show_id, holder.to_owned(), Arc::clone(&ends)));
    let answers = hoard(|| call(book(show_id))).await;
    ends.store(true, Ordering::Relaxed);
    assert!(watch.await.unwrap() <= MAX_PENDING);
    assert_eq!(held(&database, show_id, holder).await, MAX_PENDING);
    assert_eq!(database.sound_seats(show_id).await.pending, MAX_PENDING, "none is held under another name");
    let booked = answers.iter().filter(|answer| answer.status() == 201).count();
    assert_eq!(i64::try_from(booked).unwrap(), MAX_PENDING);
    for answer in answers.iter().filter(|answer| answer.status() != 201) {
        // Under this load some are told to come back: that is no seat.
        if answer.status() != 503 && answer.slug() != Some("too-many-requests") {
            answer.problem(409, "pending-limit");
            assert_eq!(
                (&answer.body["held_seats"], &answer.body["max_seats"]),
                (&json!(MAX_PENDING), &json!(MAX_PENDING))
            );
        }
    }
    // Others find what is left.
    api.book(show_id, 5).await.expect(201);
}

#[tokio::test]
async fn fifty_connections_of_one_user_hold_no_more_than_one() {
    let subject = unique("hoarder");
    // From another address each time: whose token it is counts, and not where it comes from.
    holds_no_more_than_the_limit(&format!("sub:{subject}"), |call| call.token(&mint(&subject, ""))).await;
}

#[tokio::test]
async fn fifty_connections_of_one_address_hold_no_more_than_one() {
    let address = somebody();
    holds_no_more_than_the_limit(&format!("ip:{address}"), |call| call.anonymous().from(&address)).await;
}

/// A network of addresses is one holder, and so is an address however it is written.
#[tokio::test]
async fn an_address_cannot_be_multiplied() {
    let api = Api::connect();
    let show_id = api.create_show(100).await;
    let _kept = Database::keep_holds(show_id).await;
    let ten = |address: &str| {
        Call::new("POST", &format!("/shows/{show_id}/bookings")).json(r#"{"user_name":"Ada","seats":10}"#).from(address)
    };
    for addresses in [
        ["2001:db8:7:1::1", "2001:db8:7:1:ffff:ffff:ffff:ffff", "2001:DB8:7:1:0:0:0:2"],
        ["192.0.2.77", "::ffff:192.0.2.77", "::FFFF:c000:024d"],
    ] {
        api.send(ten(addresses[0]).anonymous()).await.expect(201);
        for address in addresses {
            api.send(ten(address).anonymous()).await.problem(409, "pending-limit");
        }
    }
    api.send(ten("2001:db8:7:2::1").anonymous()).await.expect(201);
}

#[tokio::test]
async fn who_lets_holds_end_unpaid_again_and_again_waits_longer_and_longer() {
    let (api, database) = (Api::connect(), Database::connect().await);
    let show_id = api.create_show(100).await;
    let subject = unique("dawdler");
    let token = mint(&subject, "");
    let let_end = async || {
        // As if its time had passed. The message comes when it would have come, and finds it so.
        let sql = "UPDATE bookings SET created_at = created_at - (expires_at - now()), expires_at = now()
            WHERE show_id = $1 AND status = 'PENDING'";
        database.client().execute(sql, &[&show_id]).await.unwrap();
        poll::until("the holds end", EXPIRY_LIMIT, async || {
            (database.sound_seats(show_id).await.pending == 0).then_some(())
        })
        .await;
    };
    for _ in 0..=MAX_UNPAID {
        api.send(book(show_id).token(&token)).await.expect(201);
    }
    let_end().await;
    let first = waits(&api.send(book(show_id).token(&token)).await);
    assert!((1..=60).contains(&first), "{first}");
    // Nobody else waits, nor does this one for another show.
    api.book(show_id, 1).await.expect(201);
    api.send(book(api.create_show(5).await).token(&token)).await.expect(201);

    // A minute later it may book again; and if that one ends unpaid too, it waits twice as long.
    let later = "UPDATE holders SET unpaid_at = unpaid_at - interval '2 minutes', waits_from = waits_from - interval '2 minutes'
        WHERE show_id = $1 AND holder = $2";
    let holder = format!("sub:{subject}");
    assert_eq!(database.client().execute(later, &[&show_id, &holder]).await.unwrap(), 1);
    api.send(book(show_id).token(&token)).await.expect(201);
    let_end().await;
    let second = waits(&api.send(book(show_id).token(&token)).await);
    assert!((61..=120).contains(&second), "{second}");

    // After an hour all is forgotten.
    let long_ago = later.replace("2 minutes", "61 minutes");
    database.client().execute(&long_ago, &[&show_id, &holder]).await.unwrap();
    api.send(book(show_id).token(&token)).await.expect(201);
}

/// For how many seconds one who has to wait is told to.
fn waits(answer: &Answer) -> i64 {
    answer.problem(429, "holder-waits");
    let seconds = answer.header("retry-after").unwrap();
    assert_eq!(answer.header("ratelimit-policy"), Some(&*format!("\"unpaid-holds\";q={MAX_UNPAID};w=3600")));
    assert_eq!(answer.header("ratelimit"), Some(&*format!("\"unpaid-holds\";r=0;t={seconds}")));
    seconds.parse().unwrap()
}
