//! The real confirm-payments binary under a Lambda runtime: events that the database could not take when they came.

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

/// No queue is needed: what fails is delivered again by the service.
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
async fn a_batch_is_recorded_and_only_what_cannot_be_read_comes_again() {
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
    // All of it once more: at least once is what SQS promises.
    assert_eq!(failures(&work(&instance, &messages).await), ["half", "poison"]);
    assert_eq!(payments(&stage).await.len(), 4);
    assert_invariants(&stage.client).await;
}

/// Counted when it comes, and not each time that SQS delivers it.
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

/// The function's own time is shorter than what the database may take.
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
    // Of one payment: what came first to the database was its refund.
    let refund = event(9, &id, PaymentChange::Refunded(Refund::Full)).replace("pi_9", "pi_1");
    assert!(failures(&work(&instance, &[("refund", &refund), ("paid", &paid(1, &id))]).await).is_empty());
    assert_eq!(payments(&stage).await, ["pi_1 refunded"]);
    assert_eq!(stage.status(&id).await, "PENDING");
    assert_invariants(&stage.client).await;
}

#[tokio::test]
async fn without_the_database_all_come_again_and_then_land() {
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

/// One booking's lock is held by somebody: its message alone comes again.
#[tokio::test]
async fn a_lock_that_is_too_slow_fails_its_message_alone() {
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

/// A database that says nothing: the batch is given back within the Lambda's time.
#[tokio::test]
async fn a_silent_database_is_given_up_in_time() {
    let stage = Stage::new().await;
    let proxy = Proxy::to_port(stage.database.port()).await;
    let instance = worker(&stage.database.url_at(proxy.port(), "disable")).await;
    let id = priced(&stage).await;
    proxy.freeze();
    let bodies: Vec<_> = (0..10).map(|number| (number.to_string(), paid(number, &id))).collect();
    let messages: Vec<_> = bodies.iter().map(|(id, body)| (id.as_str(), body.as_str())).collect();
    assert_eq!(failures(&work(&instance, &messages).await).len(), 10);
}

/// Killed while its statement waits for a lock, and the lock let go only then: whether the server still does what it was
/// told or finds out in time that nobody listens, the redelivery brings about exactly one effect.
#[tokio::test]
async fn killed_before_the_commit_its_redelivery_has_the_one_effect() {
    let stage = Stage::new().await;
    let url = stage.database.url();
    let doomed = worker(&url).await;
    let id = priced(&stage).await;
    let body = paid(1, &id);
    // A superuser: no timeout ends its transaction.
    let holder = stage.database.admin_client().await;
    holder.batch_execute("BEGIN").await.unwrap();
    holder.execute("SELECT FROM bookings WHERE show_id || '-' || id = $1 FOR UPDATE", &[&id]).await.unwrap();
    let event = sqs_event(&[("paid", &body)]);
    let (lost, pid) = tokio::join!(doomed.invoke(&event), async {
        let pid = stage.waiting_for(&holder).await;
        doomed.kill().await;
        pid
    });
    assert!(matches!(lost, Err(InvokeError::Exited { .. })), "{lost:?}");
    // Nothing is committed, and the statement of the dead process goes no further than this lock: a server that crashed
    // now, or a statement that timed out, would have undone it.
    assert_eq!(stage.client.query_one("SELECT count(*) FROM payment_events", &[]).await.unwrap().get::<_, i64>(0), 0);
    holder.execute("SELECT pg_terminate_backend($1)", &[&pid]).await.unwrap();
    until("its transaction is undone", async || !stage.has_backend(pid).await).await;
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

/// The same, and the redelivery comes while the dead process's statement still waits: the server does what it was told
/// once the lock is free, and the redelivery finds it done.
#[tokio::test]
async fn a_redelivery_beside_the_statement_of_a_dead_process_has_no_second_effect() {
    let stage = Stage::new().await;
    let url = stage.database.url();
    let (doomed, next) = (worker(&url).await, worker(&url).await);
    let id = priced(&stage).await;
    let body = paid(1, &id);
    let holder = stage.database.admin_client().await;
    holder.batch_execute("BEGIN").await.unwrap();
    holder.execute("SELECT FROM bookings WHERE show_id || '-' || id = $1 FOR UPDATE", &[&id]).await.unwrap();
    let event = sqs_event(&[("paid", &body)]);
    let (lost, pid) = tokio::join!(doomed.invoke(&event), async {
        let pid = stage.waiting_for(&holder).await;
        doomed.kill().await;
        pid
    });
    assert!(matches!(lost, Err(InvokeError::Exited { .. })), "{lost:?}");
    let messages = [("paid", body.as_str())];
    let (report, ()) = tokio::join!(work(&next, &messages), async {
        // It stands behind the event's key, which the dead one's transaction has.
        until("the redelivery waits for it", async || stage.is_blocked_by(pid).await).await;
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
async fn killed_after_the_commit_its_redelivery_changes_nothing() {
    let stage = Stage::new().await;
    let proxy = Proxy::to_port(stage.database.port()).await;
    let url = stage.database.url_at(proxy.port(), "disable");
    let doomed = worker(&url).await;
    // Its statement is prepared by then.
    let other = event(7, "none", PaymentChange::Other);
    assert!(failures(&work(&doomed, &[("other", &other)]).await).is_empty());
    let id = priced(&stage).await;
    let body = paid(1, &id);
    proxy.freeze_replies();
    let event = sqs_event(&[("paid", &body)]);
    let (lost, ()) = tokio::join!(doomed.invoke(&event), async {
        until("the payment is committed", async || stage.status(&id).await == "CONFIRMED").await;
        doomed.kill().await;
    });
    assert!(matches!(lost, Err(InvokeError::Exited { .. })), "{lost:?}");
    proxy.cut();
    proxy.resume();
    let next = worker(&url).await;
    assert_eq!(work(&next, &[("paid", &body)]).await, json!({ "batchItemFailures": [] }));
    assert_eq!(payments(&stage).await, ["pi_1 confirmed"]);
    assert_invariants(&stage.client).await;
}
