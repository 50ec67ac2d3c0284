//! The real sweep-holds binary expires holds whose message did not arrive.

use crate::common::Stage;
use std::time::Duration;

use boxoffice_testkit::{
    events::schedule_event,
    invariants::assert_invariants,
    lambda::{Instance, InvokeError},
    postgres::{Options, Server, Stop},
    proxy::Proxy,
};
use serde_json::json;

const SWEEP_HOLDS: &str = env!("CARGO_BIN_EXE_sweep-holds");

async fn sweep_holds(stage: &Stage) -> Instance {
    // The worker calls no AWS service.
    stage.worker(SWEEP_HOLDS, "http://127.0.0.1:9", "http://127.0.0.1:9/holds").await
}

#[tokio::test]
async fn a_sweep_expires_only_overdue_holds() {
    let stage = Stage::new().await;
    let worker = sweep_holds(&stage).await;
    let due = stage.bookings(7, "PENDING", None, -1.0).await;
    let (pending, confirmed, cancelled) = (stage.pending(60.0).await, stage.confirmed().await, stage.cancelled().await);
    assert_eq!(worker.invoke(&schedule_event()).await.unwrap(), json!({ "expired": 7, "violations": 0 }));
    assert_eq!(worker.invoke(&schedule_event()).await.unwrap(), json!({ "expired": 0, "violations": 0 }));
    for id in due {
        assert_eq!(stage.status(&id).await, "FAILED expired");
    }
    assert_eq!(stage.status(&pending).await, "PENDING");
    assert_eq!(stage.status(&confirmed).await, "CONFIRMED");
    assert_eq!(stage.status(&cancelled).await, "FAILED cancelled");
    assert_invariants(&stage.client).await;
}

#[tokio::test]
async fn any_payload_starts_a_sweep() {
    let stage = Stage::new().await;
    let worker = sweep_holds(&stage).await;
    for payload in [json!({}), json!(null), json!("now"), json!([1, 2]), json!({ "Records": [] })] {
        stage.due().await;
        assert_eq!(worker.invoke(&payload).await.unwrap(), json!({ "expired": 1, "violations": 0 }), "{payload}");
    }
}

/// One invocation expires more than one batch of 1,000 holds. Two concurrent sweeps share the work.
#[tokio::test]
async fn sweeps_continue_until_no_hold_is_overdue() {
    let stage = Stage::new().await;
    stage
        .client
        .batch_execute("UPDATE shows SET total_seats = 20100; UPDATE seat_pools SET free = 10050")
        .await
        .unwrap();
    let (one, two) = (sweep_holds(&stage).await, sweep_holds(&stage).await);
    stage.bookings(2_300, "PENDING", None, -1.0).await;
    assert_eq!(one.invoke(&schedule_event()).await.unwrap(), json!({ "expired": 2_300, "violations": 0 }));
    assert_invariants(&stage.client).await;
    stage.client.batch_execute("UPDATE seat_pools SET free = CASE pool_no WHEN 0 THEN 20100 ELSE 0 END").await.unwrap();
    stage.bookings(2_300, "PENDING", None, -1.0).await;
    let (event, again) = (schedule_event(), schedule_event());
    let (first, second) = tokio::join!(one.invoke(&event), two.invoke(&again));
    let expired = |report: &serde_json::Value| report["expired"].as_u64().unwrap();
    // A sweep that finds less than a full batch, because the other has locked the rest, ends. The other expires the
    // rest.
    assert_eq!(expired(&first.unwrap()) + expired(&second.unwrap()), 2_300);
    assert_eq!(stage.free().await, 20_100);
    assert_invariants(&stage.client).await;
}

#[tokio::test]
async fn a_locked_hold_is_expired_by_the_next_sweep() {
    let stage = Stage::new().await;
    let worker = sweep_holds(&stage).await;
    let (free, locked) = (stage.due().await, stage.due().await);
    let holder = stage.database.admin_client().await;
    holder.batch_execute("BEGIN").await.unwrap();
    holder.execute("SELECT FROM bookings WHERE show_id || '-' || id = $1 FOR UPDATE", &[&locked]).await.unwrap();
    assert_eq!(worker.invoke(&schedule_event()).await.unwrap(), json!({ "expired": 1, "violations": 0 }));
    assert_eq!(
        (stage.status(&free).await.as_str(), stage.status(&locked).await.as_str()),
        ("FAILED expired", "PENDING")
    );
    holder.batch_execute("COMMIT").await.unwrap();
    assert_eq!(worker.invoke(&schedule_event()).await.unwrap(), json!({ "expired": 1, "violations": 0 }));
    assert_invariants(&stage.client).await;
}

#[tokio::test]
async fn a_database_outage_fails_the_sweep_and_the_instance_recovers() {
    let server = Server::start(&Options::fast());
    let stage = Stage::on(server.create_database().await).await;
    let worker = sweep_holds(&stage).await;
    stage.due().await;
    server.stop(Stop::Immediate).await;
    let failed = worker.invoke(&schedule_event()).await.unwrap_err();
    assert!(matches!(failed, InvokeError::Function(_)), "{failed}");
    server.start_again().await;
    assert_eq!(worker.invoke(&schedule_event()).await.unwrap(), json!({ "expired": 1, "violations": 0 }));
    assert_invariants(&stage.database.client().await).await;
}

/// Seats cannot be released to a show that lost its pools. It is logged and counted, and the same run releases the
/// seats of other shows, however many of the damaged show's holds ended before theirs.
#[tokio::test]
async fn a_damaged_show_does_not_hold_up_the_others() {
    let stage = Stage::new().await;
    let worker = sweep_holds(&stage).await;
    let damaged = "
        INSERT INTO shows (name, start_time, total_seats, max_seats_per_booking, pools)
        VALUES ('Lear', now() + interval '1 day', 2400, 10, 2);
        INSERT INTO bookings (show_id, id, user_name, seats, status, created_at, expires_at)
        SELECT 2, gen_random_uuid(), 'Ada', 2, 'PENDING', now() - interval '2 hours', now() - interval '1 hour'
        FROM generate_series(1, 1200)";
    stage.client.batch_execute(damaged).await.unwrap();
    let due = stage.bookings(7, "PENDING", None, -1.0).await;
    let report = worker.invoke(&schedule_event()).await.unwrap();
    assert_eq!(report, json!({ "expired": 7, "violations": 0 }));
    for id in due {
        assert_eq!(stage.status(&id).await, "FAILED expired");
    }
    assert!(worker.logged(r#""ShowPassedOver":1"#).await);
    let output = worker.stdout() + &worker.stderr();
    assert!(output.contains("skipped a damaged show in this sweep") && output.contains("show_id=2"), "{output}");
    // Once repaired, the show is swept like any other.
    stage
        .client
        .batch_execute("INSERT INTO seat_pools SELECT 2, pool_no, 0 FROM generate_series(0, 1) AS pool_no")
        .await
        .unwrap();
    assert_eq!(worker.invoke(&schedule_event()).await.unwrap()["expired"], 1_200);
    assert_invariants(&stage.client).await;
}

/// The server reports corrupt data for the rows of one show. The seats of other shows are still released.
#[tokio::test]
async fn corrupt_rows_of_one_show_do_not_hold_up_the_others() {
    let stage = Stage::new().await;
    let worker = sweep_holds(&stage).await;
    let due = stage.due().await;
    let unreadable = "
        INSERT INTO shows (name, start_time, total_seats, max_seats_per_booking, pools)
        VALUES ('Lear', now() + interval '1 day', 2, 10, 1);
        INSERT INTO seat_pools VALUES (2, 0, 0);
        INSERT INTO bookings (show_id, id, user_name, seats, status, created_at, expires_at)
        VALUES (2, gen_random_uuid(), 'Ada', 2, 'PENDING', now() - interval '2 hours', now() - interval '1 hour');
        CREATE FUNCTION unreadable() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'data_corrupted'; END $$;
        CREATE TRIGGER unreadable BEFORE UPDATE ON seat_pools FOR EACH ROW WHEN (OLD.show_id = 2)
            EXECUTE FUNCTION unreadable()";
    stage.client.batch_execute(unreadable).await.unwrap();
    assert_eq!(worker.invoke(&schedule_event()).await.unwrap()["expired"], 1);
    assert_eq!(stage.status(&due).await, "FAILED expired");
    assert!(worker.logged(r#""ShowPassedOver":1"#).await);
}

/// The function's timeout is shorter than the longest wait for the database. The run fails by itself before it is cut
/// off.
#[tokio::test]
async fn a_silent_database_fails_the_run_before_the_timeout() {
    let stage = Stage::new().await;
    let proxy = Proxy::to_port(stage.database.port()).await;
    let url = stage.database.url_at(proxy.port(), "disable");
    let builder = Instance::builder(SWEEP_HOLDS).env("DATABASE_URL", url).timeout(Duration::from_secs(6));
    let worker = builder.start().await;
    worker.ready().await.unwrap();
    proxy.freeze();
    let failed = worker.invoke(&schedule_event()).await.unwrap_err();
    assert!(matches!(failed, InvokeError::Function(_)), "{failed}");
}

/// The error is not specific to a show: the sweep fails instead of skipping shows for ever.
#[tokio::test]
async fn a_sweep_that_fails_for_every_show_ends() {
    let stage = Stage::new().await;
    let worker = sweep_holds(&stage).await;
    stage.due().await;
    let admin = stage.database.admin_client().await;
    admin.batch_execute("ALTER TABLE shows RENAME COLUMN pools TO puddles").await.unwrap();
    let failed = worker.invoke(&schedule_event()).await.unwrap_err();
    assert!(matches!(failed, InvokeError::Function(_)), "{failed}");
    admin.batch_execute("ALTER TABLE shows RENAME COLUMN puddles TO pools").await.unwrap();
    assert_eq!(worker.invoke(&schedule_event()).await.unwrap(), json!({ "expired": 1, "violations": 0 }));
}

/// A broken invariant is logged and counted in the metrics, and does not stop the sweep.
#[tokio::test]
async fn broken_invariants_are_logged_and_counted() {
    let stage = Stage::new().await;
    let worker = sweep_holds(&stage).await;
    stage.due().await;
    let paid =
        "INSERT INTO payments (provider, payment_id, show_id, booking_id, state, amount_minor, currency, succeeded_at)
                SELECT 'stripe', 'pi_1', show_id, id, 'confirmed', 1, 'EUR', now() FROM bookings;
                UPDATE bookings SET amount_minor = 1, currency = 'EUR'; UPDATE seat_pools SET free = free + 1";
    stage.client.batch_execute(paid).await.unwrap();
    // The hold is paid but not confirmed, and there are two seats too many.
    assert_eq!(worker.invoke(&schedule_event()).await.unwrap(), json!({ "expired": 1, "violations": 2 }));
    let output = worker.stdout() + &worker.stderr();
    assert_eq!(output.matches("an invariant is broken").count(), 2, "{output}");
    assert_eq!(output.matches("\"InvariantBroken\":1").count(), 2, "{output}");
    assert_eq!(output.matches("\"PaidNotConfirmed\":1").count(), 1, "{output}");
    assert!(output.contains("show 1: 102 free + 0 held = 102 seats, expected 100"), "{output}");
}

/// The snapshot ages that the worker has measured so far.
fn ages(worker: &Instance) -> Vec<u64> {
    let output = worker.stdout();
    let lines = output.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    lines.filter_map(|line| line["SnapshotAge"].as_u64()).collect()
}

/// A backup keeps a snapshot, so the server cannot remove row versions that became dead since. The worker measures the
/// snapshot's age in transactions, and logs its owner once the age does harm.
#[tokio::test]
async fn an_old_snapshot_is_measured_and_its_owner_logged() {
    let stage = Stage::new().await;
    let worker = sweep_holds(&stage).await;
    worker.invoke(&schedule_event()).await.unwrap();
    assert_eq!(ages(&worker).len(), 1, "{}", worker.stdout());
    let backup = stage.database.admin_client().await;
    backup
        .batch_execute("SET application_name = 'nightly'; BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")
        .await
        .unwrap();
    // Each block with an exception handler is a subtransaction with its own transaction id.
    let write = |times: u32| {
        format!(
            "DO $$ BEGIN FOR n IN 1..{times} LOOP
                 BEGIN INSERT INTO written VALUES (n); EXCEPTION WHEN raise_exception THEN NULL; END;
             END LOOP; END $$"
        )
    };
    let writer = stage.database.admin_client().await;
    writer.batch_execute("SET statement_timeout = 0; CREATE TABLE written (n int)").await.unwrap();
    writer.batch_execute(&write(1_000)).await.unwrap();
    worker.invoke(&schedule_event()).await.unwrap();
    assert!((1_000..100_000).contains(&ages(&worker)[1]), "{:?}", ages(&worker));
    assert!(!worker.stdout().contains("an old snapshot"), "{}", worker.stdout());
    writer.batch_execute(&write(100_000)).await.unwrap();
    worker.invoke(&schedule_event()).await.unwrap();
    assert!(ages(&worker)[2] >= 101_000, "{:?}", ages(&worker));
    assert!(worker.logged("an old snapshot prevents vacuum").await);
    assert!(worker.logged("of postgres (nightly)").await, "{}", worker.stdout());
    backup.batch_execute("COMMIT").await.unwrap();
    worker.invoke(&schedule_event()).await.unwrap();
    assert!(ages(&worker)[3] < 1_000, "{:?}", ages(&worker));
}

/// The alarm's threshold is the age from which the worker logs.
#[test]
fn the_alarm_and_the_log_share_one_threshold() {
    let template = include_str!("../../../template.yaml");
    let alarm = template.split("MetricName: SnapshotAge").nth(1).unwrap();
    assert!(alarm.split("Threshold: ").nth(1).unwrap().starts_with("100000\n"));
    assert!(include_str!("../../src/sweep_holds.rs").contains("OLD_SNAPSHOT: u64 = 100_000;"));
}

#[tokio::test]
async fn an_invalid_environment_stops_the_start() {
    let worker = Instance::start(SWEEP_HOLDS, &[("DATABASE_URL", ""), ("DATABASE_STATEMENTS", "loud")]).await;
    match worker.ready().await {
        Err(InvokeError::Exited { status, .. }) => assert_eq!(status.code(), Some(1)),
        other => panic!("{other:?}"),
    }
    let output = worker.stdout() + &worker.stderr();
    let line = output.lines().find(|line| line.contains("cannot start")).unwrap_or_else(|| panic!("{output}"));
    assert!(line.contains("DATABASE_URL") && line.contains("DATABASE_STATEMENTS"), "{line}");
}
