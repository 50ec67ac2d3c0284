//! An unreadable message in the hold queue, between valid ones.

use std::time::Duration;

use boxoffice_e2e::{
    api::Api,
    database::{Database, Seats},
    poll,
    sqs::Queue,
    unique,
};
use tokio::task::{LocalSet, spawn_local};

/// The time for five deliveries a few seconds apart, with room for a slow machine.
const LIMIT: Duration = Duration::from_secs(90);

/// Replaces the template's three minutes, with which five deliveries would take a quarter of an hour. It is longer than
/// a batch takes, so that valid messages are not usually delivered twice. Nothing breaks if they are.
const VISIBILITY_SECONDS: &str = "3";

#[tokio::test]
async fn only_the_poison_message_goes_to_the_dead_letter_queue() {
    let queue = Queue::from_setting("BOXOFFICE_HOLD_QUEUE_URL");
    let as_deployed = queue.visibility_timeout().await;
    queue.set_visibility_timeout(VISIBILITY_SECONDS).await;
    let outcome = LocalSet::new().run_until(async { spawn_local(poison_among_good_messages()).await }).await;
    queue.set_visibility_timeout(&as_deployed).await;
    if let Err(failure) = outcome {
        std::panic::resume_unwind(failure.into_panic());
    }
}

async fn poison_among_good_messages() {
    let (api, database) = (Api::connect(), Database::connect().await);
    let queue = Queue::from_setting("BOXOFFICE_HOLD_QUEUE_URL");
    let dead_letters = Queue::from_setting("BOXOFFICE_DEAD_LETTER_QUEUE_URL");
    let show_id = api.create_show(10).await;

    let mut good = Vec::new();
    for _ in 0..3 {
        good.push(api.book(show_id, 1).await.expect(201)["booking_id"].as_str().unwrap().to_owned());
    }
    let poison = unique("this is not JSON");
    // Send the poison message and a duplicate for each booking in one batch. The duplicates are early: they return to
    // the queue with the remaining delay.
    queue.send(&poison).await;
    for id in &good {
        queue.send(&format!(r#"{{"booking_id":"{id}"}}"#)).await;
    }

    let expired = Seats { total: 10, free: 10, pending: 0, confirmed: 0 };
    poll::until("the holds of the valid messages expire", LIMIT, async || {
        (database.sound_seats(show_id).await == expired).then_some(())
    })
    .await;
    let mut dead = Vec::new();
    poll::until("the poison message reaches the dead-letter queue", LIMIT, async || {
        dead.extend(dead_letters.take().await);
        dead.contains(&poison).then_some(())
    })
    .await;
    for id in &good {
        assert!(!dead.iter().any(|body| body.contains(id)), "a valid message is in the dead-letter queue: {dead:?}");
    }
}
