//! The workers' logs contain no personal data, even at the level TRACE and whatever fails.

use crate::common::{Stage, body, builder};
use std::time::Duration;

use boxoffice_testkit::{
    events::{schedule_event, sqs_event},
    lambda::Instance,
    postgres::{Options, Server, Stop},
    sqs::FixedDelayQueue,
};
use serde_json::{Value, json};

/// The personal data of these tests. Each text occurs nowhere else.
const NAME: &str = "Zebulon Quagmire-Xylander";
const SUBJECT: &str = "oidc|zq-subject-7f3a";
const KEY: &str = "zq-key-91c4";
const EMAIL: &str = "zq.payer@xylander.example";

const PERSONAL: [&str; 5] = [NAME, SUBJECT, KEY, EMAIL, "zq-"];

async fn start(binary: &str, stage: &Stage, queue: &FixedDelayQueue, format: &str) -> Instance {
    let instance = builder(binary, &queue.endpoint(), &queue.queue_url())
        .env("DATABASE_URL", stage.database.url())
        .env("RETENTION_DAYS", "30")
        .env("AWS_LAMBDA_LOG_LEVEL", "TRACE")
        .env("AWS_LAMBDA_LOG_FORMAT", format)
        .start()
        .await;
    instance.ready().await.unwrap();
    instance
}

/// Waits for the log line `last`, then asserts that no line contains personal data.
async fn assert_no_personal_data(instance: &Instance, last: &str) {
    assert!(instance.logged(last).await, "{}", instance.stdout());
    let output = instance.stdout() + &instance.stderr();
    for text in PERSONAL {
        if let Some(line) = output.lines().find(|line| line.contains(text)) {
            panic!("the log contains {text:?}: {line}");
        }
    }
}

/// A payment event as a queue message.
fn queued(id: &str, booking: &str) -> String {
    json!({
        "provider": "stripe", "event_id": id, "event_type": "payment_intent.succeeded", "payment_id": format!("pi_{id}"),
        "booking_id": booking, "occurred_at": "2026-07-01T12:00:00Z",
        "change": { "succeeded": { "minor": 5000, "currency": "EUR" } }, "payload": format!("{NAME} {EMAIL}"),
    })
    .to_string()
}

async fn invoke(instance: &Instance, events: &[Value]) {
    for event in events {
        // Other tests check whether it fails.
        let _ = instance.invoke(event).await;
    }
}

#[tokio::test]
async fn worker_logs_contain_no_personal_data() {
    for format in ["JSON", "TEXT"] {
        let server = Server::start(&Options::fast());
        let stage = Stage::on(server.create_database().await).await;
        let queue = FixedDelayQueue::start(Duration::ZERO).await;
        let ids = [stage.due().await, stage.pending(60.0).await, stage.confirmed().await, stage.due().await];
        let person = "UPDATE bookings SET user_name = $1, holder = $2, idempotency_key = $3 || id, amount_minor = 5000, currency = 'EUR'";
        stage.client.execute(person, &[&NAME, &format!("sub:{SUBJECT}"), &KEY]).await.unwrap();
        let binaries = ["expire-holds", "sweep-holds", "confirm-payments", "anonymise-bookings"];
        let paths = [
            env!("CARGO_BIN_EXE_expire-holds"),
            env!("CARGO_BIN_EXE_sweep-holds"),
            env!("CARGO_BIN_EXE_confirm-payments"),
            env!("CARGO_BIN_EXE_anonymise-bookings"),
        ];
        let mut workers = Vec::new();
        for path in paths {
            workers.push(start(path, &stage, &queue, format).await);
        }
        // Messages and events that no worker expects.
        let odd = [
            sqs_event(&[("m-1", NAME), ("m-2", &json!({ "booking_id": EMAIL }).to_string())]),
            json!(NAME),
            json!({ "Records": NAME }),
        ];
        let holds = sqs_event(&[("h-1", &body(&ids[0])), ("h-2", &body(&ids[1])), ("h-3", &body(&ids[2]))]);
        let payments = sqs_event(&[
            ("p-1", &queued("evt_1", &ids[1])),
            ("p-2", &queued("evt_2", &ids[2])),
            ("p-3", &queued("evt_1", &ids[1])),
        ]);
        let work = [holds, schedule_event(), payments, schedule_event()];
        for (worker, event) in workers.iter().zip(&work) {
            invoke(worker, &odd).await;
            invoke(worker, std::slice::from_ref(event)).await;
        }
        assert!(
            stage.client.query_one("SELECT count(*) FROM payment_events", &[]).await.unwrap().get::<_, i64>(0) >= 1
        );

        // First the server quotes refused rows in its errors. Then the server is stopped.
        let old = "UPDATE shows SET start_time = now() - interval '40 days';
            UPDATE bookings SET status = 'PENDING', failure_reason = NULL, settled_at = NULL, expires_at = now() WHERE status = 'FAILED'";
        stage.client.batch_execute(old).await.unwrap();
        let forbid = format!(
            "ALTER TABLE bookings ADD CONSTRAINT stays CHECK (user_name = '{NAME}' AND status <> 'FAILED') NOT VALID;
             ALTER TABLE payment_events ADD CONSTRAINT none CHECK (payload = '') NOT VALID"
        );
        stage.client.batch_execute(&forbid).await.unwrap();
        let refused = [
            sqs_event(&[("h-4", &body(&ids[0])), ("h-5", &body(&ids[3]))]),
            schedule_event(),
            sqs_event(&[("p-4", &queued("evt_3", &ids[1]))]),
            schedule_event(),
        ];
        for (worker, event) in workers.iter().zip(&refused) {
            invoke(worker, std::slice::from_ref(event)).await;
        }
        for (worker, name) in workers.iter().zip(binaries) {
            assert!(worker.logged("(stays)").await || worker.logged("(none)").await, "{name}: {}", worker.stdout());
        }
        server.stop(Stop::Immediate).await;
        for (worker, event) in workers.iter().zip(&refused) {
            invoke(worker, std::slice::from_ref(event)).await;
        }
        for worker in &workers {
            assert_no_personal_data(worker, "temporarily unavailable").await;
        }
    }
}
