//! The scheduled sweep: it expires a hold whose message was lost.

use std::time::Duration;

use boxoffice_e2e::{
    api::Api,
    database::{Database, Seats},
    poll,
};

/// The sweep runs every minute. The other 30 s are for a slow machine.
const SWEEP_LIMIT: Duration = Duration::from_secs(90);

#[tokio::test]
async fn the_sweep_expires_a_hold_without_a_message() {
    let (api, database) = (Api::connect(), Database::connect().await);
    let show_id = api.create_show(10).await;
    // The state that `book` leaves if its message is lost: seats taken, a hold that is due, and no message in the
    // queue.
    let sql = "WITH taken AS (UPDATE seat_pools SET free = free - 3 WHERE show_id = $1 RETURNING show_id)
        INSERT INTO bookings (show_id, id, user_name, seats, status, created_at, expires_at)
        SELECT show_id, gen_random_uuid(), 'Ada', 3, 'PENDING', now() - interval '2 minutes', now() FROM taken";
    assert_eq!(database.client().execute(sql, &[&show_id]).await.unwrap(), 1);
    assert_eq!(database.sound_seats(show_id).await.pending, 3);

    let swept = Seats { total: 10, free: 10, pending: 0, confirmed: 0 };
    poll::until("the sweep releases the seats", SWEEP_LIMIT, async || {
        (database.sound_seats(show_id).await == swept).then_some(())
    })
    .await;
}
