//! Concurrent bookings through the gateway.

use std::{collections::HashSet, time::Duration};

use boxoffice_e2e::{
    api::{Answer, Api},
    database::{Database, Seats},
    unique,
};
use tokio::task::JoinSet;

/// Books, and retries while the answer is 503 or 429. The idempotency key makes the retries safe.
async fn book_surely(api: Api, show_id: i64, seats: u32, key: String) -> Answer {
    let mut answer = api.book_with_key(show_id, seats, &key).await;
    for _ in 0..20 {
        if answer.status() != 503 && answer.status() != 429 {
            break;
        }
        // The pause that the answer asks for: there is no state to wait for.
        tokio::time::sleep(Duration::from_secs(1)).await;
        answer = api.book_with_key(show_id, seats, &key).await;
    }
    answer
}

#[tokio::test]
async fn concurrent_requests_with_one_key_make_one_booking() {
    let (api, database) = (Api::connect(), Database::connect().await);
    let show_id = api.create_show(10).await;
    let key = unique("key");
    let (one, two) = tokio::join!(
        book_surely(api.clone(), show_id, 2, key.clone()),
        book_surely(api.clone(), show_id, 2, key.clone())
    );
    assert_eq!(one.expect(201)["booking_id"], two.expect(201)["booking_id"]);
    let replayed = [&one, &two].iter().filter(|a| a.header("idempotency-replayed").is_some()).count();
    assert_eq!(replayed, 1);
    assert_eq!(database.bookings(show_id).await, 1);
    database.sound_seats(show_id).await;
}

#[tokio::test]
async fn forty_concurrent_buyers_get_exactly_ten_seats() {
    let (api, database) = (Api::connect(), Database::connect().await);
    let show_id = api.create_show(10).await;
    // Otherwise the first holds could expire, and their seats be sold again, before the last buyer asks.
    let _kept = Database::keep_holds(show_id).await;
    let mut buyers = JoinSet::new();
    for _ in 0..40 {
        buyers.spawn(book_surely(Api::connect(), show_id, 1, unique("key")));
    }
    let answers = buyers.join_all().await;
    let (sold, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|a| a.status() == 201);
    for answer in &refused {
        assert_eq!(answer.problem(409, "sold-out")["available_seats"], 0);
    }
    let ids: HashSet<_> = sold.iter().map(|a| a.body["booking_id"].as_str().unwrap()).collect();
    assert_eq!((ids.len(), sold.len(), refused.len()), (10, 10, 30));
    assert_eq!(database.sound_seats(show_id).await, Seats { total: 10, free: 0, pending: 10, confirmed: 0 });
}
