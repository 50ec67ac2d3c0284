//! A booking whose chosen pool changes while it waits for the pool's lock.

use crate::common::{broken, count, db, free, request, set_free, show, wait};
use boxoffice_shared::{
    Error,
    bookings::{self, BookingId},
    platform::db::Db,
    shows::ShowId,
};
use boxoffice_testkit::{
    invariants::{assert_invariants, violations},
    postgres::Database,
};
use tokio_postgres::{
    Client, Row,
    error::SqlState,
    types::{ToSql, Type},
};
use uuid::Uuid;

/// A show, and an open transaction that has its pool 0 locked.
struct Scene {
    database: Database,
    db: Db,
    show: ShowId,
    /// Has the lock. A superuser, so that no timeout ends its transaction.
    holder: Client,
    holder_pid: i32,
    watcher: Client,
}

impl Scene {
    /// Creates a show with exactly these free seats in its pools.
    async fn with(pools: &[i32]) -> Self {
        let database = Database::create().await;
        let db = db(&database, 4);
        let show = show(&db, pools.iter().map(|free| i64::from(*free)).sum(), pools.len() as i64).await.id();
        let (holder, watcher) = (database.admin_client().await, database.admin_client().await);
        for (pool, free) in (0..).zip(pools) {
            set_free(&watcher, show, pool, *free).await;
        }
        holder.batch_execute("BEGIN").await.unwrap();
        holder
            .execute("SELECT FROM seat_pools WHERE show_id = $1 AND pool_no = 0 FOR UPDATE", &[&show.get()])
            .await
            .unwrap();
        let holder_pid = wait::pid(&holder).await;
        Self { database, db, show, holder, holder_pid, watcher }
    }

    /// Books this many seats. Once the booking waits for the lock, runs `then` and releases the lock.
    async fn book(&self, seats: i64, then: impl AsyncFnOnce()) -> Result<bookings::Booked, Error> {
        let order = request(self.show, seats);
        let (answer, ()) = tokio::join!(bookings::book(&self.db, &order), async {
            wait::until_blocked(&self.watcher, self.holder_pid, 1).await;
            then().await;
            self.holder.batch_execute("COMMIT").await.unwrap();
        });
        answer
    }

    /// Does in the lock holder's transaction what another booking would have done.
    async fn sell_pool_0(&self, seats: i32) {
        self.holder
            .execute(
                "UPDATE seat_pools SET free = free - $2 WHERE show_id = $1 AND pool_no = 0",
                &[&self.show.get(), &seats],
            )
            .await
            .unwrap();
        let insert = "INSERT INTO bookings (show_id, id, user_name, seats, status, created_at, expires_at) \
                      VALUES ($1, $2, 'Eve', $3, 'PENDING', now(), now() + interval '1 hour')";
        let id = BookingId::generate(self.show).uuid();
        self.holder.execute(insert, &[&self.show.get(), &id, &seats]).await.unwrap();
    }

    async fn free(&self) -> Vec<i32> {
        free(&self.watcher, self.show).await
    }
}

#[tokio::test]
async fn booking_whose_pool_ran_out_finds_another_pool() {
    let scene = Scene::with(&[3, 0]).await;
    let booked = scene
        .book(3, async || {
            // The three seats of pool 0 are sold, and three seats return to pool 1.
            scene.sell_pool_0(3).await;
            set_free(&scene.holder, scene.show, 1, 3).await;
            scene.holder.execute("UPDATE shows SET total_seats = 6", &[]).await.unwrap();
        })
        .await
        .unwrap();
    assert_eq!(booked.booking.seats(), 3);
    assert_eq!(scene.free().await, [0, 0]);
    assert_invariants(&scene.watcher).await;
}

#[tokio::test]
async fn booking_whose_pool_ran_out_takes_seats_from_several_pools() {
    let scene = Scene::with(&[4, 1, 1]).await;
    // One seat is left in each of the three pools.
    let booked = scene.book(3, async || scene.sell_pool_0(3).await).await.unwrap();
    assert_eq!(booked.booking.seats(), 3);
    assert_eq!(scene.free().await, [0, 0, 0]);
    assert_invariants(&scene.watcher).await;
}

#[tokio::test]
async fn booking_whose_pool_ran_out_is_refused_with_the_current_seat_count() {
    let scene = Scene::with(&[4, 1, 0]).await;
    let answer = scene.book(3, async || scene.sell_pool_0(3).await).await;
    // Five seats were free when the booking began to wait, and two when it was decided.
    assert!(matches!(answer, Err(Error::SoldOut { available: 2 })), "{answer:?}");
    assert_eq!(scene.free().await, [1, 1, 0]);
    assert_eq!(count(&scene.watcher, "PENDING").await, 1);
    assert_invariants(&scene.watcher).await;
}

#[tokio::test]
async fn booking_whose_pool_still_has_enough_seats_uses_that_pool() {
    let scene = Scene::with(&[7]).await;
    scene.book(3, async || scene.sell_pool_0(4).await).await.unwrap();
    assert_eq!(scene.free().await, [0]);
    assert_invariants(&scene.watcher).await;
}

/// A booking that loses every race for a pool locks all pools in the end, and then cannot lose.
#[tokio::test]
async fn booking_that_loses_every_search_locks_all_pools_and_succeeds() {
    let Scene { database, db, show, mut holder, mut holder_pid, watcher } = Scene::with(&[3, 0]).await;
    let order = request(show, 3);
    let asked =
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '-- Locks all pools%' AND wait_event_type = 'Lock'
            AND datname = current_database()";
    let chase = async {
        let mut looks = 0;
        loop {
            wait::until_blocked(&watcher, holder_pid, 1).await;
            if watcher.query_one(asked, &[]).await.unwrap().get::<_, i64>(0) == 1 {
                break;
            }
            // The seats move to the other pool, which a new transaction locks before they become visible.
            let (from, to) = (looks % 2, (looks + 1) % 2);
            set_free(&watcher, show, to, 3).await;
            let next = database.admin_client().await;
            next.batch_execute("BEGIN").await.unwrap();
            let lock = "SELECT FROM seat_pools WHERE show_id = $1 AND pool_no = $2 FOR UPDATE";
            next.execute(lock, &[&show.get(), &to]).await.unwrap();
            let next_pid = wait::pid(&next).await;
            set_free(&holder, show, from, 0).await;
            holder.batch_execute("COMMIT").await.unwrap();
            (holder, holder_pid) = (next, next_pid);
            looks += 1;
        }
        // Four searches, preceded by a try at the connection's own pool if the seats were there.
        assert!((4..=5).contains(&looks), "{looks}");
        holder.batch_execute("COMMIT").await.unwrap();
    };
    let (answer, ()) = tokio::join!(bookings::book(&db, &order), chase);
    assert_eq!(answer.unwrap().booking.seats(), 3);
    assert_eq!(free(&watcher, show).await, [0, 0]);
    assert_invariants(&watcher).await;
}

/// Runs the statement in two overlapping transactions: the second starts when the first has run but not committed.
/// Returns how many bookings the second made.
async fn overlapped(scene: &Scene, sql: &str, seats: i32, types: &[Type]) -> Result<usize, SqlState> {
    let (show, hold, key, start) = (scene.show.get(), 120.0, None::<&str>, 0.0);
    let ids = [BookingId::generate(scene.show).uuid(), BookingId::generate(scene.show).uuid()];
    let holders = ["sub:ada", "sub:grace"];
    let parameters = |number: usize| {
        let values: [&(dyn ToSql + Sync); 12] = [
            &show,
            &ids[number],
            &"Ada",
            &seats,
            &hold,
            &key,
            &holders[number],
            &1_000_000,
            &1_000_000,
            &15,
            &1,
            &start,
        ];
        values.into_iter().zip(types.iter().cloned()).collect::<Vec<_>>()
    };
    // A row with an id is a booking that was made.
    let made = |rows: &[Row]| rows.iter().filter(|row| row.get::<_, Option<Uuid>>("id").is_some()).count();
    let rows = scene.holder.query_typed(sql, &parameters(0)).await.unwrap();
    assert_eq!(made(&rows), 1);
    let rival = scene.database.client().await;
    let second = parameters(1);
    let (answer, ()) = tokio::join!(rival.query_typed(sql, &second), async {
        wait::until_blocked(&scene.watcher, scene.holder_pid, 1).await;
        scene.holder.batch_execute("COMMIT").await.unwrap();
    });
    answer.map(|rows| made(&rows)).map_err(|error| error.code().unwrap().clone())
}

/// The parameter types of `book/any_pool.sql`. `book/all_pools.sql` has all but the last.
#[rustfmt::skip]
const TYPES: [Type; 12] = [
    Type::INT8, Type::UUID, Type::TEXT, Type::INT4, Type::FLOAT8, Type::TEXT,
    Type::TEXT, Type::INT4, Type::INT4, Type::INT4, Type::INT4, Type::FLOAT8,
];

#[tokio::test]
async fn overlapping_bookings_cannot_take_the_same_seats() {
    let scene = Scene::with(&[3]).await;
    assert_eq!(overlapped(&scene, broken::BOOK, 2, &TYPES).await, Ok(0));
    assert_eq!(scene.free().await, [1]);
    assert_invariants(&scene.watcher).await;
}

/// The statement for one pool checks `free >= seats` again on the locked row. Without this, only the schema's CHECK
/// prevents an oversold show. Without both, the show is oversold.
#[tokio::test]
async fn recheck_of_the_locked_pool_is_needed() {
    let sql = broken::altered(broken::BOOK, "AND free >= $4 AND pool_no = (", "AND pool_no = (");
    let scene = Scene::with(&[3]).await;
    assert_eq!(overlapped(&scene, &sql, 2, &TYPES).await, Err(SqlState::CHECK_VIOLATION));
    assert_invariants(&scene.watcher).await;
    let scene = Scene::with(&[3]).await;
    drop_check(&scene).await;
    assert_eq!(overlapped(&scene, &sql, 2, &TYPES).await, Ok(1));
    assert_ne!(violations(&scene.watcher).await, [""; 0], "the invariants should report the oversold show");
}

/// The statement for several pools relies on the lock of all pools that is taken before it.
#[tokio::test]
async fn lock_of_all_pools_is_needed() {
    let scene = Scene::with(&[1, 1, 1, 1]).await;
    assert_eq!(overlapped(&scene, broken::BOOK_ACROSS, 3, &TYPES[..11]).await, Err(SqlState::CHECK_VIOLATION));
    assert_invariants(&scene.watcher).await;
    let scene = Scene::with(&[1, 1, 1, 1]).await;
    drop_check(&scene).await;
    assert_eq!(overlapped(&scene, broken::BOOK_ACROSS, 3, &TYPES[..11]).await, Ok(1));
    assert_ne!(violations(&scene.watcher).await, [""; 0], "the invariants should report the oversold show");
}

/// Drops the schema's CHECK of the free seats.
async fn drop_check(scene: &Scene) {
    // In separate messages: in a single one, the transaction of BEGIN would include the ALTER TABLE and keep its lock.
    for sql in ["COMMIT", "ALTER TABLE seat_pools DROP CONSTRAINT seat_pools_free_not_negative", "BEGIN"] {
        scene.holder.batch_execute(sql).await.unwrap();
    }
}
