//! The real anonymise-bookings binary removes personal data from old bookings and payloads.

use crate::common::{self, Stage};
use boxoffice_testkit::{
    events::schedule_event,
    invariants::assert_invariants,
    lambda::{Instance, InvokeError},
    postgres::{Options, Server, Stop},
};
use serde_json::{Value, json};

const ANONYMISE_BOOKINGS: &str = env!("CARGO_BIN_EXE_anonymise-bookings");

async fn anonymise_bookings(stage: &Stage, days: &str) -> Instance {
    let instance = Instance::builder(ANONYMISE_BOOKINGS)
        .env("DATABASE_URL", stage.database.url())
        .env("RETENTION_DAYS", days)
        .start()
        .await;
    instance.ready().await.unwrap();
    instance
}

async fn run(worker: &Instance) -> Value {
    worker.invoke(&schedule_event()).await.unwrap()
}

fn report(bookings: u64, shows: u64, payloads: u64) -> Value {
    json!({ "bookings": bookings, "shows": shows, "payloads": payloads })
}

/// Moves the show's start `days` days into the past.
async fn started(stage: &Stage, days: i32) {
    let sql = "UPDATE shows SET start_time = now() - make_interval(hours => 24 * $1) WHERE id = 1";
    stage.client.execute(sql, &[&days]).await.unwrap();
}

async fn names(stage: &Stage) -> i64 {
    let sql = "SELECT count(*) FROM bookings WHERE user_name <> '(erased)' OR anonymised_at IS NULL";
    stage.client.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn old_bookings_are_anonymised_once() {
    let stage = Stage::new().await;
    let worker = anonymise_bookings(&stage, "30").await;
    stage.bookings(3, "CONFIRMED", None, -1.0).await;
    stage.cancelled().await;
    let events = "INSERT INTO payment_events (provider, event_id, type, occurred_at, received_at, change, outcome, payload)
        SELECT 'stripe', n, 't', now(), now() - make_interval(hours => 24 * n), 'other', 'kept', 'Ada' FROM generate_series(29, 31) AS n";
    stage.client.batch_execute(events).await.unwrap();
    assert_eq!(run(&worker).await, report(0, 0, 2), "the show has not even started");
    started(&stage, 29).await;
    assert_eq!(run(&worker).await, report(0, 0, 0));
    started(&stage, 30).await;
    assert_eq!(run(&worker).await, report(4, 1, 0));
    assert_eq!(names(&stage).await, 0);
    assert_eq!(run(&worker).await, report(0, 0, 0));
    assert!(worker.logged("\"Anonymised\":4").await);
    assert_invariants(&stage.client).await;
}

/// Without `RETENTION_DAYS` the retention is 365 days. 0 keeps the data for ever.
#[tokio::test]
async fn retention_days_sets_how_long_names_are_kept() {
    let stage = Stage::new().await;
    stage.confirmed().await;
    started(&stage, 20_000).await;
    let never = anonymise_bookings(&stage, "0").await;
    assert_eq!(run(&never).await, report(0, 0, 0));
    started(&stage, 364).await;
    let unset = anonymise_bookings(&stage, "").await;
    assert_eq!(run(&unset).await, report(0, 0, 0));
    started(&stage, 365).await;
    assert_eq!(run(&unset).await, report(1, 1, 0));
    for bad in ["-1", "36501", "1 year"] {
        let environment = [("DATABASE_URL", &*stage.database.url()), ("RETENTION_DAYS", bad)];
        let worker = Instance::start(ANONYMISE_BOOKINGS, &environment).await;
        assert!(matches!(worker.ready().await, Err(InvokeError::Exited { .. })), "{bad}");
        let output = worker.stdout() + &worker.stderr();
        assert!(output.contains("RETENTION_DAYS must be an integer from 0 to 36500."), "{output}");
    }
}

/// A show with a pending hold or a locked booking is processed again by the next run. Other shows are not delayed.
#[tokio::test]
async fn a_show_with_bookings_left_stays_due() {
    let stage = Stage::new().await;
    let worker = anonymise_bookings(&stage, "30").await;
    let (pending, locked) = (stage.pending(60.0).await, stage.confirmed().await);
    started(&stage, 40).await;
    let other = "WITH show AS (
            INSERT INTO shows (name, start_time, total_seats, max_seats_per_booking, pools)
            VALUES ('Hamlet', now() - interval '35 days', 10, 10, 1) RETURNING id
        ), pool AS (
            INSERT INTO seat_pools (show_id, pool_no, free) SELECT id, 0, 8 FROM show
        )
        INSERT INTO bookings (show_id, id, user_name, seats, status, created_at, expires_at, settled_at)
        SELECT id, gen_random_uuid(), 'Grace', 2, 'CONFIRMED', now() - interval '1 hour', now(), now() FROM show";
    stage.client.batch_execute(other).await.unwrap();
    let holder = stage.database.admin_client().await;
    holder.batch_execute("BEGIN").await.unwrap();
    holder.execute("SELECT FROM bookings WHERE show_id || '-' || id = $1 FOR UPDATE", &[&locked]).await.unwrap();
    assert_eq!(run(&worker).await, report(1, 1, 0), "the other show");
    assert_eq!(names(&stage).await, 2);
    holder.batch_execute("COMMIT").await.unwrap();
    assert_eq!(run(&worker).await, report(1, 0, 0));
    assert_eq!(stage.status(&pending).await, "PENDING");
    stage
        .client
        .batch_execute("UPDATE bookings SET status = 'CONFIRMED', settled_at = now() WHERE status = 'PENDING'")
        .await
        .unwrap();
    assert_eq!(run(&worker).await, report(1, 1, 0));
    assert_eq!(names(&stage).await, 0);
    assert_invariants(&stage.client).await;
}

/// A run of many pages is killed, and another instance continues it.
#[tokio::test]
async fn a_killed_run_is_continued_by_the_next() {
    let stage = Stage::new().await;
    let sized =
        "UPDATE shows SET total_seats = 20000; UPDATE seat_pools SET free = CASE pool_no WHEN 0 THEN 20000 ELSE 0 END";
    stage.client.batch_execute(sized).await.unwrap();
    stage.bookings(10_000, "CONFIRMED", None, -1.0).await;
    started(&stage, 40).await;
    let killed = anonymise_bookings(&stage, "30").await;
    let event = schedule_event();
    let (lost, ()) = tokio::join!(killed.invoke(&event), async {
        common::until("a page is anonymised", async || names(&stage).await < 10_000).await;
        killed.kill().await;
    });
    // On a fast machine the run may end before it is killed.
    assert!(matches!(lost, Err(InvokeError::Exited { .. }) | Ok(_)), "{lost:?}");
    let next = anonymise_bookings(&stage, "30").await;
    // The last statement of the killed run may still hold locks; a later run processes those bookings.
    common::until("the show is done", async || {
        run(&next).await;
        let marked = stage.client.query_one("SELECT anonymised_at IS NOT NULL FROM shows", &[]).await.unwrap();
        marked.get(0)
    })
    .await;
    assert_eq!(names(&stage).await, 0);
    assert_invariants(&stage.client).await;
}

/// A show that fails is logged and fails the run, but only after the other shows are done.
#[tokio::test]
async fn a_show_that_fails_does_not_hold_up_the_others() {
    let stage = Stage::new().await;
    let worker = anonymise_bookings(&stage, "30").await;
    stage.confirmed().await;
    started(&stage, 40).await;
    let other = "INSERT INTO shows (name, start_time, total_seats, max_seats_per_booking, pools)
            VALUES ('Hamlet', now() - interval '35 days', 10, 10, 1);
        INSERT INTO seat_pools (show_id, pool_no, free) VALUES (2, 0, 10);
        ALTER TABLE bookings ADD CONSTRAINT stays CHECK (user_name = 'Ada')";
    stage.client.batch_execute(other).await.unwrap();
    let failed = worker.invoke(&schedule_event()).await.unwrap_err();
    assert!(matches!(failed, InvokeError::Function(_)), "{failed}");
    assert!(worker.logged("a show was not anonymised").await);
    let marked: i64 = stage.client.query_one("SELECT count(anonymised_at) FROM shows", &[]).await.unwrap().get(0);
    assert_eq!(marked, 1, "the other show is done");
    stage.client.batch_execute("ALTER TABLE bookings DROP CONSTRAINT stays").await.unwrap();
    assert_eq!(run(&worker).await, report(1, 1, 0));
}

#[tokio::test]
async fn a_database_outage_fails_the_run_and_the_instance_recovers() {
    let server = Server::start(&Options::fast());
    let stage = Stage::on(server.create_database().await).await;
    let worker = anonymise_bookings(&stage, "30").await;
    stage.confirmed().await;
    started(&stage, 40).await;
    server.stop(Stop::Immediate).await;
    let failed = worker.invoke(&schedule_event()).await.unwrap_err();
    assert!(matches!(failed, InvokeError::Function(_)), "{failed}");
    server.start_again().await;
    assert_eq!(run(&worker).await, report(1, 1, 0));
}
