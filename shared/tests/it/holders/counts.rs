//! The stored count of a holder's seats: every change keeps it correct, and reading it costs the same however many
//! bookings the holder has.

use std::collections::BTreeSet;

use crate::common::{
    self, NO_LIMITS, age, broken, db, instances,
    pay::{event, priced_show, success},
    request, show, wait,
};
use boxoffice_shared::{
    Error,
    bookings::{self, BookRequest, BookingId, Hold},
    checks::{self, Rule},
    holders::{Holder, HolderLimits, Subject},
    payments::{self, PaymentChange, Refund},
    platform::db::Db,
    privacy,
    shows::ShowId,
};
use boxoffice_testkit::{
    invariants::{assert_invariants, violations},
    postgres::Database,
    rng::SeededRng,
};
use rand::RngExt as _;
use tokio::task::JoinSet;
use tokio_postgres::Client;

/// With this many bookings of a show, the holder's next booking stores a count.
const MANY: i32 = 33;

fn ada() -> Holder {
    Holder::of_subject(&subject())
}

fn subject() -> Subject {
    Subject::try_from("ada").unwrap()
}

pub(super) fn of(holder: &Holder, limits: HolderLimits, show: ShowId, seats: i64) -> BookRequest {
    BookRequest { holder: holder.clone(), limits, ..request(show, seats) }
}

/// 40 pending seats, 60 seats in total.
const LIMITS: HolderLimits = HolderLimits { max_pending_seats: 40, max_seats: 60, ..NO_LIMITS };

async fn hold(db: &Db, show: ShowId, seats: i64) -> Result<BookingId, Error> {
    bookings::book(db, &of(&ada(), LIMITS, show, seats)).await.map(|booked| booked.booking.id())
}

/// Makes this many holds of one seat for Ada, as they exist before the first count.
async fn fill(client: &Client, show: ShowId, bookings: i32) {
    let make = "INSERT INTO bookings (
            show_id, id, user_name, seats, status, created_at, expires_at, holder, amount_minor, currency)
        SELECT $1, gen_random_uuid(), 'Ada', 1, 'PENDING', now(), now() + interval '1 hour', 'sub:ada', 2500, 'EUR'
        FROM generate_series(1, $2)";
    client.execute(make, &[&show.get(), &bookings]).await.unwrap();
    let take = "UPDATE seat_pools SET free = free - $2 WHERE show_id = $1 AND pool_no = 0";
    client.execute(take, &[&show.get(), &bookings]).await.unwrap();
}

/// Returns Ada's stored count of pending seats and of all seats, or `None` if she has no count.
async fn counted(client: &Client, show: ShowId) -> Option<(i64, i64)> {
    let sql = "SELECT pending_seats, seats FROM holders WHERE show_id = $1 AND holder = 'sub:ada' AND is_counted";
    client.query_opt(sql, &[&show.get()]).await.unwrap().map(|row| (row.get(0), row.get(1)))
}

#[tokio::test]
async fn overdue_hold_does_not_count_swept_or_not() {
    let database = Database::create().await;
    let (db, client) = (db(&database, 1), database.client().await);
    // With a few bookings, and with enough for a stored count.
    for (bookings, seats) in [(4, 10), (40, 1)] {
        let show = show(&db, 1_000, 2).await.id();
        let mut held = Vec::new();
        for _ in 0..bookings {
            held.push(hold(&db, show, seats).await.unwrap());
        }
        assert!(matches!(hold(&db, show, 1).await, Err(Error::PendingLimit { held: 40, max: 40 })));
        assert_eq!(counted(&client, show).await.is_some(), bookings > 32);
        // The holds of ten seats have ended, but have not been swept.
        for id in &held[..10 / seats as usize] {
            age(&client, *id, 120.0).await;
        }
        assert!(matches!(hold(&db, show, 11).await, Err(Error::PendingLimit { held: 30, max: 40 })));
        hold(&db, show, 10).await.unwrap();
        assert!(matches!(hold(&db, show, 1).await, Err(Error::PendingLimit { held: 40, max: 40 })));
        // The same holds for the total: confirmed seats count, overdue holds do not.
        for id in &held[10 / seats as usize..] {
            bookings::confirm(&db, *id).await.unwrap();
        }
        assert!(matches!(hold(&db, show, 21).await, Err(Error::HolderLimit { held: 40, max: 60 })));
        hold(&db, show, 20).await.unwrap();
        // The sweep changes nothing.
        bookings::sweep(&db).await.unwrap();
        assert!(matches!(hold(&db, show, 1).await, Err(Error::HolderLimit { held: 60, max: 60 })));
        assert_invariants(&client).await;
    }
}

#[tokio::test]
async fn count_follows_every_kind_of_change() {
    let database = Database::create().await;
    let (db, client) = (db(&database, 1), database.client().await);
    let show = priced_show(&db, 1_000, 2).await.id();
    fill(&client, show, MANY).await;
    let book = async |seats| bookings::book(&db, &of(&ada(), NO_LIMITS, show, seats)).await.unwrap().booking.id();
    let is = async |pending: i64, seats: i64| {
        assert_eq!(counted(&client, show).await, Some((33 + pending, 33 + seats)));
        assert_invariants(&client).await;
    };
    let (paid, confirmed, cancelled, expired, swept) =
        (book(1).await, book(2).await, book(3).await, book(4).await, book(5).await);
    is(15, 15).await;
    payments::record(&db, &success("evt_1", "pi_1", paid, 1), &common::NO_LIMITS).await.unwrap();
    is(14, 15).await;
    bookings::confirm(&db, confirmed).await.unwrap();
    is(12, 15).await;
    bookings::cancel(&db, cancelled, Some(&subject())).await.unwrap();
    is(9, 12).await;
    age(&client, expired, 120.0).await;
    bookings::expire(&db, &BTreeSet::from([expired])).await.unwrap();
    is(5, 8).await;
    age(&client, swept, 120.0).await;
    assert_eq!(bookings::sweep(&db).await.unwrap(), 1);
    is(0, 3).await;
    // A late payment takes its seats again, and a refund releases those of another booking.
    payments::record(&db, &success("evt_2", "pi_2", expired, 4), &common::NO_LIMITS).await.unwrap();
    is(0, 7).await;
    let refund = event("evt_3", "pi_1", None, PaymentChange::Refunded(Refund::Full));
    payments::record(&db, &refund, &common::NO_LIMITS).await.unwrap();
    is(0, 6).await;
    let extended = book(6).await;
    bookings::extend(
        &db,
        extended,
        Some(&subject()),
        Hold::try_from(600).unwrap(),
        std::time::Duration::from_secs(600),
    )
    .await
    .unwrap();
    is(6, 12).await;
    // A booking by the previous version of the functions, which does not know the count.
    client
        .batch_execute(&format!(
            "BEGIN; SELECT admit_holder({show}, 'sub:ada', 2, 1000, 1000, 5, 120);
         INSERT INTO bookings (show_id, id, user_name, seats, status, created_at, expires_at, holder)
         VALUES ({show}, gen_random_uuid(), 'Ada', 2, 'PENDING', now(), now() + interval '1 hour', 'sub:ada');
         UPDATE seat_pools SET free = free - 2 WHERE show_id = {show} AND pool_no = 0; COMMIT"
        ))
        .await
        .unwrap();
    is(8, 14).await;
    assert_eq!(checks::check(&db).await.unwrap(), []);
}

/// Every change of a partner's bookings runs concurrently, while its count is stored for the first time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn count_stays_correct_under_concurrent_changes() {
    let database = Database::create().await;
    let client = database.client().await;
    let counters = instances(&database.url(), 12).await;
    let show = show(&counters[0], 5_000, 8).await.id();
    let limits = HolderLimits { partner_allowance: 100, ..NO_LIMITS };
    let seed = SeededRng::new();
    let mut clerks = JoinSet::new();
    for (number, db) in counters.into_iter().enumerate() {
        let mut rng = SeededRng::from_seed(seed.seed() + number as u64);
        clerks.spawn(async move {
            let partner = Holder::of_api_key("acme").unwrap();
            let mut held = Vec::new();
            for _ in 0..60 {
                match (rng.random_range(0..10), held.pop()) {
                    (0..5, last) | (_, last @ None) => {
                        held.extend(last);
                        let booked = bookings::book(&db, &of(&partner, limits, show, rng.random_range(1..=4))).await;
                        held.push(booked.unwrap().booking.id());
                    }
                    (5..7, Some(id)) => drop(bookings::confirm(&db, id).await.unwrap()),
                    (7, Some(id)) => {
                        bookings::expire(&db, &BTreeSet::from([id])).await.unwrap();
                    }
                    (_, Some(id)) => drop(bookings::cancel(&db, id, None).await.unwrap()),
                }
            }
        });
    }
    let mut looks = 0;
    while !clerks.is_empty() {
        // The invariants hold at every moment, not only at the end.
        assert_invariants(&client).await;
        looks += 1;
        if let Some(ended) = clerks.try_join_next() {
            ended.unwrap();
        }
    }
    let sql = "SELECT count(*) FROM holders WHERE is_counted AND seats > 0";
    assert_eq!(client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0), 1, "seed {}, {looks} looks", seed.seed());
    let sql = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0), 0);
}

/// The first count locks the bookings that it reads. Without these locks, a booking that is being confirmed meanwhile
/// would stay in the count of pending seats for ever.
#[tokio::test]
async fn first_count_needs_its_locks() {
    for (is_broken, expected) in [(false, 0), (true, 1)] {
        let database = Database::create().await;
        let (db, client) = (db(&database, 1), database.client().await);
        let show = show(&db, 1_000, 2).await.id();
        fill(&client, show, MANY + 1).await;
        if is_broken {
            let migration = include_str!("../../../../migrations/V13__holders.sql");
            let (_, from) = migration.split_once("CREATE FUNCTION count_holder(").unwrap();
            let (function, _) = from.split_once("\n$$;\n").unwrap();
            let function = broken::without(function, "\n    FOR SHARE");
            client.batch_execute(&format!("CREATE OR REPLACE FUNCTION count_holder({function}\n$$")).await.unwrap();
        }
        let (rival, watcher) = (database.admin_client().await, database.admin_client().await);
        rival.batch_execute("BEGIN").await.unwrap();
        let confirm = "WITH one AS (SELECT id FROM bookings WHERE holder = 'sub:ada' LIMIT 1 FOR UPDATE)
            UPDATE bookings SET status = 'CONFIRMED', settled_at = now() FROM one WHERE bookings.id = one.id";
        rival.batch_execute(confirm).await.unwrap();
        let rival_pid = wait::pid(&rival).await;
        let order = of(&ada(), NO_LIMITS, show, 1);
        let (booked, ()) = tokio::join!(bookings::book(&db, &order), async {
            if !is_broken {
                wait::until_blocked(&watcher, rival_pid, 1).await;
                rival.batch_execute("COMMIT").await.unwrap();
            }
        });
        booked.unwrap();
        if is_broken {
            rival.batch_execute("COMMIT").await.unwrap();
        }
        let found = violations(&watcher).await;
        assert_eq!(found.len(), expected, "{found:?}");
    }
}

#[tokio::test]
async fn wrong_count_is_found() {
    let database = Database::create().await;
    let (db, client) = (db(&database, 1), database.client().await);
    let show = show(&db, 1_000, 2).await.id();
    fill(&client, show, MANY).await;
    hold(&db, show, 1).await.unwrap();
    assert_eq!(checks::check(&db).await.unwrap(), []);
    for damage in ["seats = seats + 1", "pending_seats = pending_seats - 1"] {
        client.batch_execute(&format!("BEGIN; UPDATE holders SET {damage}")).await.unwrap();
        assert_eq!(violations(&client).await.len(), 1, "the invariants should report {damage}");
        client.batch_execute("COMMIT").await.unwrap();
        let found = checks::check(&db).await.unwrap();
        assert_eq!(found.iter().map(|violation| violation.rule).collect::<Vec<_>>(), [Rule::HolderCount]);
        assert!(!found[0].to_string().contains("ada"), "{}", found[0]);
    }
}

/// Without any one of the triggers, the count is wrong and the invariants report it.
#[tokio::test]
async fn count_needs_each_trigger() {
    for (trigger, changes) in
        [("bookings_counted", "book"), ("bookings_changed", "cancel"), ("bookings_forgotten", "erase")]
    {
        let database = Database::create().await;
        let (db, client) = (db(&database, 1), database.client().await);
        let show = show(&db, 1_000, 2).await.id();
        fill(&client, show, MANY).await;
        let held = hold(&db, show, 1).await.unwrap();
        client.batch_execute(&format!("ALTER TABLE bookings DISABLE TRIGGER {trigger}")).await.unwrap();
        match changes {
            "book" => drop(hold(&db, show, 1).await.unwrap()),
            "cancel" => drop(bookings::cancel(&db, held, Some(&subject())).await.unwrap()),
            _ => drop(privacy::erase(&db, &subject()).await.unwrap()),
        }
        assert_eq!(violations(&client).await.len(), 1, "without {trigger}");
    }
}

/// An erasure removes the holder from `holders` as well as from the bookings.
#[tokio::test]
async fn erasure_deletes_the_holder_rows() {
    let database = Database::create().await;
    let (db, client) = (db(&database, 1), database.client().await);
    let many = show(&db, 1_000, 2).await.id();
    fill(&client, many, MANY).await;
    hold(&db, many, 1).await.unwrap();
    // A row without a count, made by a cancelled hold.
    let few = show(&db, 10, 1).await.id();
    let id = hold(&db, few, 1).await.unwrap();
    bookings::cancel(&db, id, Some(&subject())).await.unwrap();
    let rows = async || client.query_one("SELECT count(*) FROM holders", &[]).await.unwrap().get::<_, i64>(0);
    assert_eq!(rows().await, 2);
    privacy::erase(&db, &subject()).await.unwrap();
    assert_eq!(rows().await, 0);
    // She can book again, as a new holder.
    hold(&db, many, 40).await.unwrap();
    assert_invariants(&client).await;
}

/// Counts the blocks that `admit` reads for Ada.
async fn blocks(client: &Client, show: ShowId) -> i64 {
    let explain = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)
        SELECT admit($SHOW, 'sub:ada', 1, 1000000, 1000000, 5, 120, 1, NULL)"
        .replace("$SHOW", &show.to_string());
    client.batch_execute("BEGIN").await.unwrap();
    // The first call in a session also plans, and may store the count: the second one is measured.
    let mut plan = serde_json::Value::Null;
    for _ in 0..2 {
        plan = serde_json::from_str(&common::plan(client, &explain).await).unwrap();
    }
    client.batch_execute("COMMIT").await.unwrap();
    let read = |name: &str| plan[0]["Plan"][name].as_i64().unwrap();
    read("Shared Hit Blocks") + read("Shared Read Blocks")
}

/// A holder with 20,000 bookings, and as many cancelled ones, is admitted at the same cost as one with 34.
#[tokio::test]
async fn admission_cost_does_not_grow_with_bookings() {
    let database = Database::create().await;
    let (db, client) = (db(&database, 1), database.client().await);
    let mut costs = Vec::new();
    for bookings in [MANY + 1, 20_000] {
        let show = show(&db, 100_000, 2).await.id();
        fill(&client, show, 2 * bookings).await;
        let admin = database.admin_client().await;
        admin.batch_execute("VACUUM ANALYZE bookings").await.unwrap();
        let let_go = "WITH chosen AS (SELECT id FROM bookings WHERE show_id = $1 LIMIT $2), let_go AS (
                UPDATE bookings SET status = 'FAILED', failure_reason = 'cancelled', settled_at = now()
                FROM chosen WHERE bookings.show_id = $1 AND bookings.id = chosen.id)
            UPDATE seat_pools SET free = free + $2::bigint WHERE show_id = $1 AND pool_no = 0";
        admin.execute(let_go, &[&show.get(), &i64::from(bookings)]).await.unwrap();
        admin.batch_execute("VACUUM ANALYZE bookings, holders").await.unwrap();
        costs.push(blocks(&client, show).await);
    }
    // A larger index may be one or two levels deeper, which adds that many blocks to each lookup.
    assert!(costs[1] <= costs[0] + 8, "{costs:?}");
    assert_invariants(&client).await;
}
