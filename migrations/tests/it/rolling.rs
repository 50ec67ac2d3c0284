//! Tickets are sold while the schema changes. They are sold by the functions of the release before, which run until the new
//! ones are deployed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use boxoffice_migrations::{Migrations, Patience};
use boxoffice_shared::platform::config::Database as Target;
use boxoffice_testkit::{
    invariants,
    postgres::{Database, Options, Server},
    wait::until_within,
};
use tokio::task::JoinHandle;
use tokio_postgres::{Client, SimpleQueryMessage, SimpleQueryRow, error::SqlState};

/// The last migration of the release whose statements are in `release_7/`.
const RELEASED: u32 = 7;

/// Each kind of change that later migrations may make, in the way that the runner asks for.
const LATER: [(&str, &str); 6] = [
    ("V9001__column", "ALTER TABLE bookings ADD COLUMN later text DEFAULT 'x'"),
    ("V9002__pools", "ALTER TABLE seat_pools ADD COLUMN later integer NOT NULL DEFAULT 0"),
    ("V9003__shows", "ALTER TABLE shows ADD COLUMN later integer NOT NULL DEFAULT 0"),
    ("V9004__not_valid", "ALTER TABLE bookings ADD CONSTRAINT later CHECK (seats < 2000) NOT VALID"),
    ("V9005__valid", "ALTER TABLE bookings VALIDATE CONSTRAINT later"),
    ("V9006__concurrently_bookings_by_name", "CREATE INDEX CONCURRENTLY bookings_by_name ON bookings (user_name)"),
];

/// How many clients sell at the same time.
const CLIENTS: u32 = 4;

/// Prepared once per connection, as the functions do. Migrations must not break them.
const STATEMENTS: [(&str, &str); 8] = [
    (
        "book (bigint, uuid, text, integer, double precision, text, text, integer, integer, integer, integer)",
        include_str!("release_7/book.sql"),
    ),
    ("confirm (bigint, uuid)", include_str!("release_7/confirm.sql")),
    ("cancel (bigint, uuid, text)", include_str!("release_7/cancel.sql")),
    ("expire (bigint[], uuid[])", include_str!("release_7/expire.sql")),
    ("sweep (bigint, bigint[])", include_str!("release_7/sweep.sql")),
    ("list_shows (timestamptz, bigint, bigint)", include_str!("release_7/list_shows.sql")),
    ("get_booking (bigint, uuid, text, boolean)", include_str!("release_7/get_booking.sql")),
    (
        "record_payment (text, text, text, text, bigint, uuid, timestamptz, text, bigint, text, text)",
        include_str!("release_7/record_payment.sql"),
    ),
];

/// A show that does not sell out, and old bookings.
const SHOW: &str = "
    INSERT INTO shows (name, start_time, total_seats, max_seats_per_booking, pools, price_minor, currency)
    VALUES ('A', now() + interval '1 day', 1000000, 4, 8, 500, 'EUR');
    INSERT INTO seat_pools (show_id, pool_no, free) SELECT 1, n, 125000 FROM generate_series(0, 7) AS n;
    INSERT INTO bookings (show_id, id, user_name, seats, status, failure_reason, created_at, expires_at, settled_at, holder)
    SELECT 1, gen_random_uuid(), 'Old', 1, 'FAILED', 'expired', now() - interval '2 days', now() - interval '1 day', now(), 'ip:10.9.9.9'
    FROM generate_series(1, 20000)";

/// An instance of a function: one connection with its prepared statements.
struct Instance {
    client: Client,
}

impl Instance {
    async fn start(database: &Database) -> Self {
        let instance = Self { client: database.client_as("boxoffice_app").await };
        instance.prepare().await;
        instance
    }

    async fn prepare(&self) {
        for (name, sql) in STATEMENTS {
            self.client.batch_execute(&format!("PREPARE {name} AS {sql}")).await.unwrap();
        }
    }

    /// The first row of a statement. Like the functions, it runs a statement again after a deadlock, or if the connection's plan is
    /// out of date. It does not after anything else: a lock timeout is a 503.
    async fn run(&self, call: &str) -> Option<SimpleQueryRow> {
        for _ in 0..4 {
            match self.client.simple_query(&format!("EXECUTE {call}")).await {
                Ok(messages) => {
                    return messages.into_iter().find_map(|message| match message {
                        SimpleQueryMessage::Row(row) => Some(row),
                        _ => None,
                    });
                }
                Err(error) if error.code() == Some(&SqlState::FEATURE_NOT_SUPPORTED) => {
                    self.client.batch_execute("DEALLOCATE ALL").await.unwrap();
                    self.prepare().await;
                }
                Err(error) if error.code() == Some(&SqlState::T_R_DEADLOCK_DETECTED) => {}
                Err(error) => panic!("refused while the schema changes: {call}: {error:?}"),
            }
        }
        panic!("undone four times: {call}")
    }

    async fn column(&self, call: &str, column: &str) -> String {
        let row = self.run(call).await.unwrap_or_else(|| panic!("no row: {call}"));
        row.get(column).unwrap_or_default().to_owned()
    }

    /// Makes one booking, and ends it in one of the possible ways.
    async fn sell(&self, client: u32, round: u32) {
        let id = format!("{client:08x}-0000-7000-8000-{round:012x}");
        let hold = if round % 5 == 3 { "0.001" } else { "120" };
        let book = format!(
            "book(1, '{id}', 'Ada', 1, {hold}, NULL, 'ip:10.{client}.{}.{}', 10, 20, 5, 1)",
            round / 256,
            round % 256
        );
        assert_eq!(self.column(&book, "status").await, "PENDING", "{book}");
        match round % 5 {
            0 => assert_eq!(self.column(&format!("confirm(1, '{id}')"), "status").await, "CONFIRMED"),
            1 => assert_eq!(self.column(&format!("cancel(1, '{id}', NULL)"), "status").await, "FAILED"),
            2 => {
                let pay = format!(
                    "record_payment('stripe', 'evt_{id}', 't', 'pi_{id}', 1, '{id}', now(), 'succeeded', 500, 'EUR', '{{}}')"
                );
                assert_eq!(self.column(&pay, "outcome").await, "confirmed");
            }
            3 => {
                // The hold is over now or soon. The sweep of another client may have expired it already.
                while self.column(&format!("get_booking(1, '{id}', NULL, true)"), "status").await == "PENDING" {
                    self.run(&format!("expire('{{1}}', '{{{id}}}')")).await;
                }
            }
            _ => {
                self.column("sweep(100, '{}')", "expired").await;
                self.column("list_shows('1970-01-01Z', 0, 10)", "available_seats").await;
                assert_eq!(self.column(&format!("get_booking(1, '{id}', NULL, true)"), "status").await, "PENDING");
            }
        }
    }
}

/// How many times a lock timed out.
fn given_up(server: &Server) -> usize {
    server.log().matches("canceling statement due to lock timeout").count()
}

/// Clients that sell until they must stop. Each returns its number of sales.
fn start_selling(database: &Database, stop: &Arc<AtomicBool>) -> Vec<JoinHandle<u32>> {
    let start = |client| {
        let (database, stop) = (database.clone(), Arc::clone(stop));
        tokio::spawn(async move {
            let instance = Instance::start(&database).await;
            let mut round = 0;
            while !stop.load(Ordering::Relaxed) || round < 20 {
                instance.sell(client, round).await;
                round += 1;
            }
            round
        })
    };
    (1..=CLIENTS).map(start).collect()
}

fn migrations() -> Migrations {
    Migrations::ours().and(&LATER).unwrap()
}

struct Scene {
    server: Server,
    database: Database,
    target: Target,
}

impl Scene {
    /// The schema of the release before.
    async fn new() -> Self {
        let server = Server::start(&Options::fast());
        let database = server.create_empty_database().await;
        let target = Target::from_url(&database.owner_url(), None).unwrap();
        Migrations::ours().up_to(RELEASED).apply(&target, &Patience::default()).await.unwrap();
        database.client().await.batch_execute(SHOW).await.unwrap();
        Self { server, database, target }
    }

    /// With all our migrations. The first of the later ones locks the bookings.
    async fn newest() -> Self {
        let scene = Self::new().await;
        Migrations::ours().apply(&scene.target, &Patience::default()).await.unwrap();
        scene
    }

    /// Stops the clients, and checks that no sale failed and that every invariant holds.
    async fn end(&self, stop: &AtomicBool, selling: Vec<JoinHandle<u32>>) {
        stop.store(true, Ordering::Relaxed);
        for client in selling {
            assert!(client.await.expect("no sale should be refused") >= 20);
        }
        let violations = invariants::violations(&self.database.client().await).await;
        assert!(violations.is_empty(), "{violations:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sales_succeed_while_the_schema_is_migrated() {
    let scene = Scene::new().await;
    let stop = Arc::default();
    let selling = start_selling(&scene.database, &stop);
    let names = migrations().apply(&scene.target, &Patience::default()).await.unwrap();
    assert!(names.len() >= LATER.len());
    // The old instances keep selling with the new schema.
    scene.end(&stop, selling).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sales_succeed_while_a_migration_waits_for_a_long_report() {
    let scene = Scene::newest().await;
    // A report or a backup: no write waits for it, but a change of the table does.
    let report = scene.database.admin_client().await;
    report.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM bookings").await.unwrap();
    let stop = Arc::default();
    let selling = start_selling(&scene.database, &stop);
    let target = scene.target.clone();
    let migration =
        tokio::spawn(async move { migrations().apply(&target, &Patience::default()).await.map_err(|e| e.to_string()) });
    // The migration waits for its lock twice, and pauses between.
    until_within(Duration::from_secs(120), "the migration gives up its lock and tries again", async || {
        assert!(!migration.is_finished(), "the migration should wait for the report");
        given_up(&scene.server) >= 2
    })
    .await;
    report.batch_execute("COMMIT").await.unwrap();
    assert!(!migration.await.unwrap().unwrap().is_empty());
    scene.end(&stop, selling).await;
}

/// Why the lock timeout of migrations is short: here it is long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sale_is_refused_behind_a_migration_that_waits_longer_than_the_functions() {
    let scene = Scene::newest().await;
    let report = scene.database.admin_client().await;
    report.batch_execute("BEGIN; SELECT FROM bookings LIMIT 1").await.unwrap();
    let (target, patience) = (scene.target.clone(), Patience { lock: Duration::from_secs(60), ..Patience::default() });
    let migration =
        tokio::spawn(async move { migrations().apply(&target, &patience).await.map_err(|e| e.to_string()) });
    let waits = "SELECT FROM pg_locks WHERE NOT granted AND relation = 'bookings'::regclass";
    let owner = scene.database.client().await;
    until_within(Duration::from_secs(120), "the migration waits for the report", async || {
        assert!(!migration.is_finished(), "the migration should wait for the report");
        !owner.query(waits, &[]).await.unwrap().is_empty()
    })
    .await;
    let app = scene.database.client_as("boxoffice_app").await;
    let refused = app.batch_execute("SELECT FROM bookings LIMIT 1").await.unwrap_err();
    assert_eq!(refused.code(), Some(&SqlState::LOCK_NOT_AVAILABLE), "{refused}");
    report.batch_execute("COMMIT").await.unwrap();
    migration.await.unwrap().unwrap();
}
