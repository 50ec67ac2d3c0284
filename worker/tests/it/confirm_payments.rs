//! The real confirm-payments binary under a Lambda runtime: it records queued events that the database could not take
//! at first.

use crate::common::{Stage, failures, until};
use std::time::Duration;

use boxoffice_shared::{
    money::Money,
    payments::{PaymentChange, PaymentEvent, Provider, Refund},
};
use boxoffice_testkit::{
    events::{delivered_again, sqs_event},
    invariants::assert_invariants,
    lambda::{Instance, InvokeError},
    postgres::{Options, Server, Stop},
    proxy::Proxy,
};
use jiff::Timestamp;
use serde_json::{Value, json};

const CONFIRM_PAYMENTS: &str = env!("CARGO_BIN_EXE_confirm-payments");

/// The worker needs no queue, because SQS itself redelivers failed messages.
async fn worker(url: &str) -> Instance {
    let instance =
        Instance::builder(CONFIRM_PAYMENTS).env("DATABASE_URL", url).timeout(Duration::from_secs(30)).start();
    let instance = instance.await;
    instance.ready().await.unwrap();
    instance
}

/// A hold that costs 50 euros.
async fn priced(stage: &Stage) -> String {
    let id = stage.pending(60.0).await;
    let sql = "UPDATE bookings SET amount_minor = 5000, currency = 'EUR' WHERE show_id || '-' || id = $1";
    assert_eq!(stage.client.execute(sql, &[&id]).await.unwrap(), 1);
    id
}

fn event(number: u32, booking: &str, change: PaymentChange) -> String {
    let event = PaymentEvent {
        provider: Provider::Stripe,
        event_id: format!("evt_{number}").try_into().unwrap(),
        event_type: "payment_intent.succeeded".into(),
        payment_id: Some(format!("pi_{number}").try_into().unwrap()),
        booking_id: booking.parse().ok(),
        occurred_at: Timestamp::now(),
        change,
        payload: "{}".into(),
    };
    serde_json::to_string(&event).unwrap()
}

/// A success with the booking's amount.
fn paid(number: u32, booking: &str) -> String {
    event(number, booking, PaymentChange::Succeeded(Money::new(5_000, "EUR").unwrap()))
}

async fn work(instance: &Instance, messages: &[(&str, &str)]) -> Value {
    instance.invoke(&sqs_event(messages)).await.unwrap()
}

async fn payments(stage: &Stage) -> Vec<String> {
    let sql = "SELECT concat_ws(' ', payment_id, state, reason) FROM payments ORDER BY 1";
    stage.client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn a_batch_is_recorded_and_only_unreadable_messages_fail() {
    let stage = Stage::new().await;
    let instance = worker(&stage.database.url()).await;
    let (first, second) = (priced(&stage).await, priced(&stage).await);
    let messages = [
        ("paid", paid(1, &first)),
        ("poison", "not ours".to_owned()),
        ("again", paid(1, &first)),
        ("twice", paid(2, &first)),
        ("other", paid(3, &second)),
        ("half", r#"{"provider":"stripe"}"#.to_owned()),
        ("failed", event(4, &second, PaymentChange::Failed)),
    ];
    let messages: Vec<_> = messages.iter().map(|(id, body)| (*id, body.as_str())).collect();
    let report = work(&instance, &messages).await;
    assert_eq!(failures(&report), ["half", "poison"]);
    assert_eq!((stage.status(&first).await.as_str(), stage.status(&second).await.as_str()), ("CONFIRMED", "CONFIRMED"));
    assert_eq!(
        payments(&stage).await,
        ["pi_1 confirmed", "pi_2 refund_due already_paid", "pi_3 confirmed", "pi_4 failed"]
    );
    assert!(instance.logged(r#""PoisonMessage":1"#).await);
    // The whole batch again: SQS delivers at least once.
    assert_eq!(failures(&work(&instance, &messages).await), ["half", "poison"]);
    assert_eq!(payments(&stage).await.len(), 4);
    assert_invariants(&stage.client).await;
}

/// A poison message is counted on its first delivery only.
#[tokio::test]
async fn a_poison_message_is_counted_once() {
    let stage = Stage::new().await;
    let instance = worker(&stage.database.url()).await;
    let batch = sqs_event(&[("poison", "not ours")]);
    for count in 1..=5 {
        assert_eq!(failures(&instance.invoke(&delivered_again(batch.clone(), count)).await.unwrap()), ["poison"]);
    }
    assert_eq!(failures(&work(&instance, &[("other", "null")]).await), ["other"]);
    assert!(instance.logged("other").await);
    assert_eq!(instance.stdout().matches(r#""PoisonMessage":1"#).count(), 2, "{}", instance.stdout());
}

/// The function's timeout is shorter than the longest wait for the database.
#[tokio::test]
async fn a_silent_database_is_reported_before_the_time_is_up() {
    let stage = Stage::new().await;
    let proxy = Proxy::to_port(stage.database.port()).await;
    let url = stage.database.url_at(proxy.port(), "disable");
    let builder = Instance::builder(CONFIRM_PAYMENTS).env("DATABASE_URL", url).timeout(Duration::from_secs(4));
    let instance = builder.start().await;
    instance.ready().await.unwrap();
    let id = priced(&stage).await;
    let bodies: Vec<_> = (0..3).map(|number| (number.to_string(), paid(number, &id))).collect();
    let messages: Vec<_> = bodies.iter().map(|(id, body)| (id.as_str(), body.as_str())).collect();
    proxy.freeze();
    assert_eq!(failures(&work(&instance, &messages).await), ["0", "1", "2"]);
}

#[tokio::test]
async fn a_refund_that_overtook_its_payment_wins() {
    let stage = Stage::new().await;
    let instance = worker(&stage.database.url()).await;
    let id = priced(&stage).await;
    // Both events are of one payment. The refund reaches the database first.
    let refund = event(9, &id, PaymentChange::Refunded(Refund::Full)).replace("pi_9", "pi_1");
    assert!(failures(&work(&instance, &[("refund", &refund), ("paid", &paid(1, &id))]).await).is_empty());
    assert_eq!(payments(&stage).await, ["pi_1 refunded"]);
    assert_eq!(stage.status(&id).await, "PENDING");
    assert_invariants(&stage.client).await;
}

#[tokio::test]
async fn messages_fail_during_an_outage_and_succeed_after_it() {
    let server = Server::start(&Options::fast());
    let stage = Stage::on(server.create_database().await).await;
    let instance = worker(&stage.database.url()).await;
    let ids = [priced(&stage).await, priced(&stage).await, priced(&stage).await];
    let bodies: Vec<_> = (0..).zip(&ids).map(|(number, id)| paid(number, id)).collect();
    let messages: Vec<_> = ["a", "b", "c"].into_iter().zip(bodies.iter().map(String::as_str)).collect();
    server.stop(Stop::Immediate).await;
    assert_eq!(failures(&work(&instance, &messages).await), ["a", "b", "c"]);
    server.start_again().await;
    assert!(failures(&work(&instance, &messages).await).is_empty());
    let client = stage.database.client().await;
    let confirmed: i64 =
        client.query_one("SELECT count(*) FROM bookings WHERE status = 'CONFIRMED'", &[]).await.unwrap().get(0);
    assert_eq!(confirmed, 3);
}

/// Another transaction holds the lock of one booking. Only that booking's message fails.
#[tokio::test]
async fn a_lock_timeout_fails_only_its_own_message() {
    let stage = Stage::new().await;
    let instance = worker(&stage.database.url()).await;
    let (locked, free) = (priced(&stage).await, priced(&stage).await);
    let holder = stage.database.admin_client().await;
    holder.batch_execute("BEGIN").await.unwrap();
    holder.execute("SELECT FROM bookings WHERE show_id || '-' || id = $1 FOR UPDATE", &[&locked]).await.unwrap();
    let report = work(&instance, &[("locked", &paid(1, &locked)), ("free", &paid(2, &free))]).await;
    assert_eq!(failures(&report), ["locked"]);
    assert_eq!(stage.status(&free).await, "CONFIRMED");
    holder.batch_execute("COMMIT").await.unwrap();
    assert!(failures(&work(&instance, &[("locked", &paid(1, &locked))]).await).is_empty());
    assert_eq!(stage.status(&locked).await, "CONFIRMED");
}

/// The database stops responding: the batch fails within the Lambda's timeout.
#[tokio::test]
async fn a_silent_database_fails_the_batch_within_the_timeout() {
    let stage = Stage::new().await;
    let proxy = Proxy::to_port(stage.database.port()).await;
    let instance = worker(&stage.database.url_at(proxy.port(), "disable")).await;
    let id = priced(&stage).await;
    proxy.freeze();
    let bodies: Vec<_> = (0..10).map(|number| (number.to_string(), paid(number, &id))).collect();
    let messages: Vec<_> = bodies.iter().map(|(id, body)| (id.as_str(), body.as_str())).collect();
    assert_eq!(failures(&work(&instance, &messages).await).len(), 10);
}

/// Kills the worker while the statement for its payment waits for the booking's lock. Returns the client that has the lock, and the
/// process id of the backend that still waits.
async fn kill_at_the_lock(stage: &Stage, worker: &Instance, id: &str, body: &str) -> (tokio_postgres::Client, i32) {
    // A superuser has no timeouts that end its transaction.
    let holder = stage.database.admin_client().await;
    holder.batch_execute("BEGIN").await.unwrap();
    holder.execute("SELECT FROM bookings WHERE show_id || '-' || id = $1 FOR UPDATE", &[&id]).await.unwrap();
    let event = sqs_event(&[("paid", body)]);
    let (lost, pid) = tokio::join!(worker.invoke(&event), async {
        let pid = stage.waiting_for(&holder).await;
        worker.kill().await;
        pid
    });
    assert!(matches!(lost, Err(InvokeError::Exited { .. })), "{lost:?}");
    (holder, pid)
}

/// The worker is killed while its statement waits for a lock, and the statement is rolled back. The redelivery has the
/// one effect.
#[tokio::test]
async fn a_redelivery_after_a_kill_before_the_commit_has_one_effect() {
    let stage = Stage::new().await;
    let url = stage.database.url();
    let killed = worker(&url).await;
    let id = priced(&stage).await;
    let body = paid(1, &id);
    let (holder, pid) = kill_at_the_lock(&stage, &killed, &id, &body).await;
    // Nothing is committed, and the dead process's statement still waits for the lock. Terminating its backend rolls it
    // back, as a crash of the server or a statement timeout would.
    assert_eq!(stage.client.query_one("SELECT count(*) FROM payment_events", &[]).await.unwrap().get::<_, i64>(0), 0);
    holder.execute("SELECT pg_terminate_backend($1)", &[&pid]).await.unwrap();
    until("the backend is gone", async || !stage.has_backend(pid).await).await;
    holder.batch_execute("COMMIT").await.unwrap();
    assert_eq!((stage.status(&id).await.as_str(), payments(&stage).await.len()), ("PENDING", 0));
    let next = worker(&url).await;
    assert_eq!(work(&next, &[("paid", &body)]).await, json!({ "batchItemFailures": [] }));
    assert_eq!(
        (stage.status(&id).await.as_str(), payments(&stage).await),
        ("CONFIRMED", vec!["pi_1 confirmed".into()])
    );
    assert_invariants(&stage.client).await;
}

/// The redelivery arrives while the dead process's statement still waits. The server commits that statement once the
/// lock is free, and the redelivery finds the event recorded.
#[tokio::test]
async fn a_redelivery_during_a_dead_processs_statement_has_no_second_effect() {
    let stage = Stage::new().await;
    let url = stage.database.url();
    let (killed, next) = (worker(&url).await, worker(&url).await);
    let id = priced(&stage).await;
    let body = paid(1, &id);
    let (holder, pid) = kill_at_the_lock(&stage, &killed, &id, &body).await;
    let messages = [("paid", body.as_str())];
    let (report, ()) = tokio::join!(work(&next, &messages), async {
        // The redelivery waits for the transaction of the dead process, which has the event's key.
        until("the redelivery waits", async || stage.is_blocked_by(pid).await).await;
        holder.batch_execute("COMMIT").await.unwrap();
    });
    assert_eq!(report, json!({ "batchItemFailures": [] }));
    assert_eq!(
        (stage.status(&id).await.as_str(), payments(&stage).await),
        ("CONFIRMED", vec!["pi_1 confirmed".into()])
    );
    let events: i64 = stage.client.query_one("SELECT count(*) FROM payment_events", &[]).await.unwrap().get(0);
    assert_eq!(events, 1);
    assert_invariants(&stage.client).await;
}

#[tokio::test]
async fn a_redelivery_after_a_kill_past_the_commit_changes_nothing() {
    let stage = Stage::new().await;
    let proxy = Proxy::to_port(stage.database.port()).await;
    let url = stage.database.url_at(proxy.port(), "disable");
    let killed = worker(&url).await;
    // Prepares the statement.
    let other = event(7, "none", PaymentChange::Other);
    assert!(failures(&work(&killed, &[("other", &other)]).await).is_empty());
    let id = priced(&stage).await;
    let body = paid(1, &id);
    proxy.freeze_replies();
    let event = sqs_event(&[("paid", &body)]);
    let (lost, ()) = tokio::join!(killed.invoke(&event), async {
        until("the payment is committed", async || stage.status(&id).await == "CONFIRMED").await;
        killed.kill().await;
    });
    assert!(matches!(lost, Err(InvokeError::Exited { .. })), "{lost:?}");
    proxy.cut();
    proxy.resume();
    let next = worker(&url).await;
    assert_eq!(work(&next, &[("paid", &body)]).await, json!({ "batchItemFailures": [] }));
    assert_eq!(payments(&stage).await, ["pi_1 confirmed"]);
    assert_invariants(&stage.client).await;
}
