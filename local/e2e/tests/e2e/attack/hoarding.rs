//! An attacker who holds as many seats as possible and never pays.
//!
//! MiniStack takes the caller's address from `X-Forwarded-For`, so each attacker here sends a fixed one. On AWS,
//! clients could put anything into that header, and the functions ignore it: the address is `identity.sourceIp`, that
//! of the connection to the gateway. `functions/tests/it/http/callers.rs` tests that.

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

/// The hoarder's connections, and the bookings that each attempts, one after another.
const CONNECTIONS: usize = 50;
const ATTEMPTS: usize = 3;

/// The deployment's limit of pending seats per holder and show.
const MAX_PENDING: i64 = 10;

/// The holds of a show that one holder may leave unpaid in an hour.
const MAX_UNPAID: i64 = 5;

/// The time limit from a hold's expiry to the release of its seats.
const EXPIRY_LIMIT: Duration = Duration::from_secs(60);

fn book(show_id: i64) -> Call {
    Call::new("POST", &format!("/shows/{show_id}/bookings")).json(r#"{"user_name":"Ada","seats":1}"#)
}

/// The pending seats of this holder for this show.
async fn held(database: &Database, show_id: i64, holder: &str) -> i64 {
    let sql = "SELECT coalesce(sum(seats), 0) FROM bookings WHERE show_id = $1 AND holder = $2 AND status = 'PENDING'";
    database.client().query_one(sql, &[&show_id, &holder]).await.unwrap().get(0)
}

/// Samples the holder's pending seats until `ends` is set, and returns the maximum.
async fn most_held(show_id: i64, holder: String, ends: Arc<AtomicBool>) -> i64 {
    let database = Database::connect().await;
    let mut most = 0;
    while !ends.load(Ordering::Relaxed) {
        most = most.max(held(&database, show_id, &holder).await);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    most
}

/// Sends `call` three times on each of 50 concurrent connections, and returns every answer.
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

/// The holder never holds more than the limit, and ends with exactly the limit: the limit refuses no booking within it.
async fn holds_no_more_than_the_limit(holder: &str, call: impl Fn(Call) -> Call) {
    let (api, database) = (Api::connect(), Database::connect().await);
    let show_id = api.create_show(400).await;
    // Otherwise the first holds would expire before the last attempts.
    let _kept = Database::keep_holds(show_id).await;
    let ends = Arc::new(AtomicBool::new(false));
    let watch = tokio::spawn(most_held(show_id, holder.to_owned(), Arc::clone(&ends)));
    let answers = hoard(|| call(book(show_id))).await;
    ends.store(true, Ordering::Relaxed);
    assert!(watch.await.unwrap() <= MAX_PENDING);
    assert_eq!(held(&database, show_id, holder).await, MAX_PENDING);
    assert_eq!(database.sound_seats(show_id).await.pending, MAX_PENDING, "no other holder must hold seats");
    let booked = answers.iter().filter(|answer| answer.status() == 201).count();
    assert_eq!(i64::try_from(booked).unwrap(), MAX_PENDING);
    for answer in answers.iter().filter(|answer| answer.status() != 201) {
        // Under this load some attempts get 503 or 429. They hold no seat.
        if answer.status() != 503 && answer.slug() != Some("too-many-requests") {
            answer.problem(409, "pending-limit");
            assert_eq!(
                (&answer.body["held_seats"], &answer.body["max_seats"]),
                (&json!(MAX_PENDING), &json!(MAX_PENDING))
            );
        }
    }
    // Other holders can book the remaining seats.
    api.book(show_id, 5).await.expect(201);
}

#[tokio::test]
async fn fifty_connections_of_one_user_share_one_limit() {
    let subject = unique("hoarder");
    // Each call has another address. The token's subject is the holder, whatever the address.
    holds_no_more_than_the_limit(&format!("sub:{subject}"), |call| call.token(&mint(&subject, ""))).await;
}

#[tokio::test]
async fn fifty_connections_of_one_address_share_one_limit() {
    let address = somebody();
    holds_no_more_than_the_limit(&format!("ip:{address}"), |call| call.anonymous().from(&address)).await;
}

/// An IPv6 /64 network is one holder, and so are all spellings of one address.
#[tokio::test]
async fn many_addresses_of_one_network_share_one_limit() {
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
async fn a_holder_with_unpaid_holds_waits_longer_each_time() {
    let (api, database) = (Api::connect(), Database::connect().await);
    let show_id = api.create_show(100).await;
    let subject = unique("dawdler");
    let token = mint(&subject, "");
    let let_end = async || {
        // Move the holds' expiry to now. Their messages still arrive at the original time.
        let sql = "UPDATE bookings SET created_at = created_at - (expires_at - now()), expires_at = now()
            WHERE show_id = $1 AND status = 'PENDING'";
        database.client().execute(sql, &[&show_id]).await.unwrap();
        poll::until("the holds expire", EXPIRY_LIMIT, async || {
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
    // Other holders need not wait, nor does this holder for another show.
    api.book(show_id, 1).await.expect(201);
    api.send(book(api.create_show(5).await).token(&token)).await.expect(201);

    // A minute later the holder may book again. If that hold expires unpaid too, the wait is twice as long.
    let later = "UPDATE holders SET unpaid_at = unpaid_at - interval '2 minutes', waits_from = waits_from - interval '2 minutes'
        WHERE show_id = $1 AND holder = $2";
    let holder = format!("sub:{subject}");
    assert_eq!(database.client().execute(later, &[&show_id, &holder]).await.unwrap(), 1);
    api.send(book(show_id).token(&token)).await.expect(201);
    let_end().await;
    let second = waits(&api.send(book(show_id).token(&token)).await);
    assert!((61..=120).contains(&second), "{second}");

    // After an hour, unpaid holds no longer count.
    let long_ago = later.replace("2 minutes", "61 minutes");
    database.client().execute(&long_ago, &[&show_id, &holder]).await.unwrap();
    api.send(book(show_id).token(&token)).await.expect(201);
}

/// The seconds to wait, from a 429 answer.
fn waits(answer: &Answer) -> i64 {
    answer.problem(429, "holder-waits");
    let seconds = answer.header("retry-after").unwrap();
    assert_eq!(answer.header("ratelimit-policy"), Some(&*format!("\"unpaid-holds\";q={MAX_UNPAID};w=3600")));
    assert_eq!(answer.header("ratelimit"), Some(&*format!("\"unpaid-holds\";r=0;t={seconds}")));
    seconds.parse().unwrap()
}
