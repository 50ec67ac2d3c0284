//! Races between confirm, cancel, expire and sweep: a hold ends once, and its seats are released once.

use std::{cell::Cell, collections::BTreeSet, sync::Arc};

use crate::common::{age, broken, count, db, free, instances, request, show, wait};
use boxoffice_shared::{
    Error,
    bookings::{self, BookingId, BookingStatus, ExpireOutcome, FailureReason},
    holders::Viewer,
    platform::db::Db,
};
use boxoffice_testkit::{
    invariants::{assert_invariants, violations},
    postgres::Database,
    rng::SeededRng,
};
use rand::RngExt as _;
use tokio::task::JoinSet;
use tokio_postgres::{
    Client,
    types::{ToSql, Type},
};

/// A booking, and a connection whose transaction can lock its row.
struct Scene {
    database: Database,
    db: Db,
    id: BookingId,
    /// Has the lock. A superuser, so that no timeout ends its transaction.
    holder: Client,
    holder_pid: i32,
    watcher: Client,
}

impl Scene {
    async fn new() -> Self {
        let database = Database::create().await;
        let db = db(&database, 4);
        let show = show(&db, 10, 2).await.id();
        let id = bookings::book(&db, &request(show, 3)).await.unwrap().booking.id();
        let (holder, watcher) = (database.admin_client().await, database.admin_client().await);
        let holder_pid = wait::pid(&holder).await;
        Self { database, db, id, holder, holder_pid, watcher }
    }

    /// Locks the row without changing it, so that waiting statements find it unchanged.
    async fn lock(&self) {
        self.holder.batch_execute("BEGIN").await.unwrap();
        let lock = "SELECT FROM bookings WHERE show_id = $1 AND id = $2 FOR UPDATE";
        self.holder.execute(lock, &[&self.id.show_id().get(), &self.id.uuid()]).await.unwrap();
    }

    async fn unlock(&self) {
        self.holder.batch_execute("COMMIT").await.unwrap();
    }

    async fn blocked(&self, backends: i64) {
        wait::until_blocked(&self.watcher, self.holder_pid, backends).await;
    }

    async fn is_over(&self) -> bool {
        let sql = "SELECT clock_timestamp() >= expires_at FROM bookings";
        self.watcher.query_one(sql, &[]).await.unwrap().get(0)
    }

    async fn wait_for_its_end(&self) {
        wait::until("the hold ends by the database's clock", async || self.is_over().await).await;
    }

    async fn expire(&self) -> ExpireOutcome {
        bookings::expire(&self.db, &BTreeSet::from([self.id])).await.unwrap()[&self.id]
    }
}

/// Makes a hold end this many seconds from now.
async fn end_in(client: &Client, id: BookingId, seconds: f64) {
    let sql = "UPDATE bookings SET created_at = clock_timestamp() - interval '2 minutes', \
               expires_at = clock_timestamp() + make_interval(secs => $3) WHERE show_id = $1 AND id = $2";
    assert_eq!(client.execute(sql, &[&id.show_id().get(), &id.uuid(), &seconds]).await.unwrap(), 1);
}

/// Starts `confirm` before the hold ends, and makes it wait for the row's lock until the hold has ended.
async fn confirm_past_the_end<T>(confirm: impl AsyncFn(&Scene) -> T) -> (Scene, T) {
    // On a slow machine the hold may end before the statement waits for the lock. Then try again with a longer hold.
    for seconds in [0.3, 0.6, 1.2] {
        let scene = Scene::new().await;
        end_in(&scene.watcher, scene.id, seconds).await;
        scene.lock().await;
        let (answer, in_time) = tokio::join!(confirm(&scene), async {
            scene.blocked(1).await;
            let in_time = !scene.is_over().await;
            scene.wait_for_its_end().await;
            scene.unlock().await;
            in_time
        });
        if in_time {
            return (scene, answer);
        }
    }
    panic!("the statement took more than a second to reach the lock");
}

/// Counts the bookings that were confirmed after their hold ended, which the invariants do not detect.
async fn late_sales(client: &Client) -> i64 {
    let sql = "SELECT count(*) FROM bookings WHERE status = 'CONFIRMED' AND settled_at >= expires_at";
    client.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn confirmation_that_waits_past_the_end_of_the_hold_is_refused() {
    let (scene, answer) =
        confirm_past_the_end(async |scene: &Scene| bookings::confirm(&scene.db, scene.id).await).await;
    assert!(matches!(answer, Err(Error::BookingExpired)), "{answer:?}");
    assert_eq!(
        bookings::get(&scene.db, scene.id, Viewer::Bearer(None)).await.unwrap().status(),
        BookingStatus::Pending
    );
    assert_eq!(scene.expire().await, ExpireOutcome::Expired);
    assert_eq!(late_sales(&scene.watcher).await, 0);
    assert_invariants(&scene.watcher).await;
}

/// A buyer cancels at the last moment. If the hold has ended once the lock is granted, the cancellation changes
/// nothing.
#[tokio::test]
async fn cancellation_that_waits_past_the_end_of_the_hold_changes_nothing() {
    let (scene, answer) =
        confirm_past_the_end(async |scene: &Scene| bookings::cancel(&scene.db, scene.id, None).await).await;
    assert!(matches!(answer, Err(Error::BookingExpired)), "{answer:?}");
    assert_eq!(
        bookings::get(&scene.db, scene.id, Viewer::Bearer(None)).await.unwrap().status(),
        BookingStatus::Pending
    );
    assert_eq!(scene.expire().await, ExpireOutcome::Expired);
    assert_invariants(&scene.watcher).await;
}

/// The clock must be read after the lock is granted: both ways to read it earlier confirm a hold that has ended.
#[tokio::test]
async fn confirmation_that_reads_the_clock_before_locking_sells_too_late() {
    let unlocked = broken::without(broken::CONFIRM, "FOR UPDATE");
    for sql in [include_str!("../broken/confirm.sql"), &unlocked] {
        let (scene, confirmed) = confirm_past_the_end(async |scene: &Scene| {
            let client = scene.database.client().await;
            client.execute(sql, &[&scene.id.show_id().get(), &scene.id.uuid()]).await.unwrap()
        })
        .await;
        assert_eq!(confirmed, 1);
        assert_eq!(count(&scene.watcher, "CONFIRMED").await, 1, "{sql}");
    }
}

#[tokio::test]
async fn expiry_that_waits_past_the_end_of_the_hold_expires_it() {
    let (scene, outcome) = confirm_past_the_end(async |scene: &Scene| scene.expire().await).await;
    assert_eq!(outcome, ExpireOutcome::Expired);
    assert_invariants(&scene.watcher).await;
}

/// Both wait for one row and get its lock in the order of their arrival. The clock decides, not the order.
#[tokio::test]
async fn the_clock_decides_between_confirm_and_expire() {
    for confirm_first in [true, false] {
        for over in [true, false] {
            let scene = Scene::new().await;
            if over {
                age(&scene.watcher, scene.id, 120.0).await;
            }
            scene.lock().await;
            let (confirmed, expired, ()) = tokio::join!(
                async {
                    if !confirm_first {
                        scene.blocked(1).await;
                    }
                    bookings::confirm(&scene.db, scene.id).await
                },
                async {
                    if confirm_first {
                        scene.blocked(1).await;
                    }
                    scene.expire().await
                },
                async {
                    wait::until_waiting(&scene.watcher, 2).await;
                    scene.unlock().await;
                }
            );
            let case = format!("confirm first: {confirm_first}, over: {over}: {confirmed:?}, {expired:?}");
            if over {
                assert!(matches!(confirmed, Err(Error::BookingExpired)), "{case}");
                assert_eq!(expired, ExpireOutcome::Expired, "{case}");
            } else {
                assert_eq!(confirmed.unwrap().booking.status(), BookingStatus::Confirmed);
                assert_eq!(expired == ExpireOutcome::Ended, confirm_first, "{case}");
                assert_eq!(matches!(expired, ExpireOutcome::NotDue(_)), !confirm_first, "{case}");
            }
            let left = if over { 10 } else { 7 };
            assert_eq!(free(&scene.watcher, scene.id.show_id()).await.iter().sum::<i32>(), left, "{case}");
            assert_invariants(&scene.watcher).await;
        }
    }
}

/// The end of a hold: in the past, right now, or far in the future.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Past,
    Now,
    Far,
}

/// Yields up to seven times, so that other tasks go first.
async fn after<T>(late: u8, then: impl Future<Output = T>) -> T {
    for _ in 0..late % 8 {
        tokio::task::yield_now().await;
    }
    then.await
}

/// Confirms, cancels, expires and sweeps one booking concurrently. Returns how many holds the calls expired: the sweep
/// may also have expired others.
async fn end_concurrently(
    db: &[Db],
    client: &Client,
    rng: &mut SeededRng,
    id: BookingId,
    end: End,
    cancels: bool,
) -> u64 {
    match end {
        End::Past => age(client, id, 120.0).await,
        End::Now => end_in(client, id, rng.random_range(0.0..0.004)).await,
        End::Far => {}
    }
    // Each of them comes first now and then.
    let late: [u8; 4] = rng.random();
    let batch = BTreeSet::from([id]);
    let (confirmed, cancelled, expired, swept) = tokio::join!(
        after(late[0], bookings::confirm(&db[0], id)),
        after(late[1], async { if cancels { Some(bookings::cancel(&db[1], id, None).await) } else { None } }),
        after(late[2], bookings::expire(&db[2], &batch)),
        after(late[3], bookings::sweep(&db[3])),
    );
    // All of them may have read the clock just before the hold ended.
    let again = bookings::expire(&db[2], &batch).await.unwrap()[&id];
    let ended = [expired.unwrap()[&id], again].iter().filter(|outcome| **outcome == ExpireOutcome::Expired).count();
    let status = bookings::get(&db[0], id, Viewer::Bearer(None)).await.unwrap().status();
    let case = format!("{end:?}, {status:?}: {confirmed:?}, {cancelled:?}");
    assert!(end != End::Past || status != BookingStatus::Confirmed, "{case}");
    assert!(end != End::Far || status != BookingStatus::Failed(FailureReason::Expired), "{case}");
    match status {
        BookingStatus::Confirmed => {
            assert!(confirmed.is_ok(), "{case}");
            assert!(matches!(cancelled, None | Some(Err(Error::BookingConfirmed))), "{case}");
        }
        BookingStatus::Failed(FailureReason::Cancelled) => {
            // A confirmation may have found the hold overdue, and left it unchanged.
            assert!(matches!(confirmed, Err(Error::BookingCancelled | Error::BookingExpired)), "{case}");
            assert!(matches!(cancelled, Some(Ok(_))), "{case}");
        }
        BookingStatus::Failed(FailureReason::Expired) => {
            assert!(matches!(confirmed, Err(Error::BookingExpired)), "{case}");
            assert!(matches!(cancelled, None | Some(Err(Error::BookingExpired))), "{case}");
        }
        BookingStatus::Pending | BookingStatus::Failed(FailureReason::Refunded) => panic!("{case}"),
    }
    ended as u64 + swept.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_operations_end_each_hold_once() {
    const LANES: usize = 4;
    const BOOKINGS: usize = 90;
    let database = Database::create().await;
    let client = Arc::new(database.client().await);
    let counters = instances(&database.url(), 4 * LANES).await;
    let show = show(&counters[0], 2_000, 8).await.id();
    let seed = SeededRng::new();
    let mut lanes = JoinSet::new();
    for (lane, db) in counters.chunks(4).enumerate() {
        let (db, client) = (db.to_vec(), client.clone());
        let mut rng = SeededRng::from_seed(seed.seed().wrapping_add(lane as u64));
        lanes.spawn(async move {
            let mut ended = 0;
            for number in 0..BOOKINGS {
                let id = bookings::book(&db[0], &request(show, 2)).await.unwrap().booking.id();
                let end = [End::Past, End::Now, End::Far][number % 3];
                ended += end_concurrently(&db, &client, &mut rng, id, end, number % 2 == 0).await;
            }
            ended
        });
    }
    let ended: u64 = lanes.join_all().await.into_iter().sum();
    let expired = "SELECT count(*) FROM bookings WHERE failure_reason = 'expired'";
    assert_eq!(client.query_one(expired, &[]).await.unwrap().get::<_, i64>(0), ended as i64);
    assert_eq!(late_sales(&client).await, 0);
    assert_eq!(count(&client, "PENDING").await, 0);
    let sold = 2 * count(&client, "CONFIRMED").await as i32;
    assert_eq!(free(&client, show).await.iter().sum::<i32>(), 2_000 - sold);
    assert_invariants(&client).await;
}

/// Runs the statement in two transactions: the second starts when the first has run but not committed. Both want to
/// release the seats of the same booking: with `one_booking` before its hold ends, else after that.
async fn release_twice(sql: &str, one_booking: bool) -> Scene {
    let scene = Scene::new().await;
    if !one_booking {
        age(&scene.watcher, scene.id, 120.0).await;
    }
    let (show, id) = (scene.id.show_id().get(), scene.id.uuid());
    let (shows, ids, limit) = (vec![show], vec![id], 10_i64);
    let none: Vec<i64> = Vec::new();
    let parameters: Vec<(&(dyn ToSql + Sync), Type)> = match (sql.contains("LIMIT $1"), one_booking) {
        (true, _) => vec![(&limit, Type::INT8), (&none, Type::INT8_ARRAY)],
        (false, true) => vec![(&show, Type::INT8), (&id, Type::UUID), (&None::<&str>, Type::TEXT)],
        (false, false) => vec![(&shows, Type::INT8_ARRAY), (&ids, Type::UUID_ARRAY)],
    };
    scene.holder.batch_execute("BEGIN").await.unwrap();
    scene.holder.query_typed(sql, &parameters).await.unwrap();
    let rival = scene.database.client().await;
    let done = Cell::new(false);
    let (answer, ()) = tokio::join!(
        async {
            let answer = rival.query_typed(sql, &parameters).await;
            done.set(true);
            answer
        },
        async {
            let waits = "SELECT count(*) FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid))";
            wait::until("the second statement waits or finishes", async || {
                done.get() || scene.watcher.query_one(waits, &[&scene.holder_pid]).await.unwrap().get::<_, i64>(0) > 0
            })
            .await;
            scene.unlock().await;
        }
    );
    answer.unwrap();
    scene
}

/// Each statement locks the booking before it reads the status. With the lock it releases the seats once; without it,
/// twice, and the invariants report it.
#[tokio::test]
async fn release_needs_the_booking_lock() {
    let statements = [
        (broken::CANCEL, Some(("FOR UPDATE\n), clocked", "\n), clocked")), true),
        (broken::EXPIRE, Some(("FOR UPDATE OF bookings", "")), false),
        // The sweep finds rows by their `ctid`, which every change replaces. It locks only to skip rows that are
        // locked.
        (broken::SWEEP, None, false),
    ];
    for (sql, lock, one_booking) in statements {
        let scene = release_twice(sql, one_booking).await;
        assert_invariants(&scene.watcher).await;
        if let Some((lock, without)) = lock {
            let scene = release_twice(&broken::altered(sql, lock, without), one_booking).await;
            let found = violations(&scene.watcher).await;
            assert_eq!(found.len(), 1, "the invariants should report the missing {lock:?} of:\n{sql}");
        }
    }
}
