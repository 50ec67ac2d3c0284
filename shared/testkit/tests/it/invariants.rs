//! The invariants detect deliberate damage.

use boxoffice_testkit::invariants::{assert_invariants, violations};
use boxoffice_testkit::postgres::Database;

/// A show of 10 seats in two pools: 3 pending, 2 confirmed, 5 free; an expired booking has released 4.
const SHOW: &str = "
    INSERT INTO shows (name, start_time, total_seats, max_seats_per_booking, pools) VALUES ('A', now(), 10, 4, 2);
    INSERT INTO seat_pools (show_id, pool_no, free) VALUES (1, 0, 4), (1, 1, 1);
    INSERT INTO bookings (show_id, id, user_name, seats, status, failure_reason, created_at, expires_at, settled_at)
    VALUES (1, gen_random_uuid(), 'a', 3, 'PENDING', NULL, now(), now() + '1 min', NULL),
           (1, gen_random_uuid(), 'b', 2, 'CONFIRMED', NULL, now(), now() + '1 min', now()),
           (1, gen_random_uuid(), 'c', 4, 'FAILED', 'expired', now(), now() + '1 min', now())";

#[tokio::test]
async fn each_kind_of_damage_is_reported() {
    for (damage, said) in [
        ("UPDATE seat_pools SET free = free + 1 WHERE pool_no = 0", "show 1: 6 free + 5 held = 11 seats, expected 10"),
        ("DELETE FROM bookings WHERE status = 'PENDING'", "show 1: 5 free + 2 held = 7 seats, expected 10"),
        ("DELETE FROM bookings; DELETE FROM seat_pools", "show 1: 0 free + 0 held = 0 seats, expected 10"),
        (
            "ALTER TABLE seat_pools DROP CONSTRAINT seat_pools_free_not_negative;
             UPDATE seat_pools SET free = CASE pool_no WHEN 0 THEN 6 ELSE -1 END",
            "show 1: pool 1 has -1 free",
        ),
        ("UPDATE bookings SET show_id = 9 WHERE status = 'FAILED'", "its show does not exist"),
    ] {
        let client = Database::create().await.client().await;
        client.batch_execute(SHOW).await.unwrap();
        assert_invariants(&client).await;
        client.batch_execute(damage).await.unwrap();
        let found = violations(&client).await;
        assert!(found.len() == 1 && found[0].contains(said), "{damage}: {found:?}");
    }
}

#[tokio::test]
#[should_panic(expected = "invariants broken")]
async fn assert_invariants_panics_on_a_violation() {
    let client = Database::create().await.client().await;
    client.batch_execute(SHOW).await.unwrap();
    client.batch_execute("UPDATE seat_pools SET free = 0").await.unwrap();
    assert_invariants(&client).await;
}
