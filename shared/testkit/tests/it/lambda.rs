//! The Lambda runtime emulator, tested with a function that uses the real runtime library.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use boxoffice_testkit::events;
use boxoffice_testkit::lambda::{Instance, InvokeError};
use serde_json::json;

const ECHO: &str = env!("CARGO_BIN_EXE_echo-function");
/// A deadline longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn ready_instance_answers_each_event() {
    let instance = Instance::start(ECHO, &[]).await;
    let ready = instance.ready().await.unwrap();
    assert!(ready > Duration::ZERO && ready < PATIENCE);
    for n in 0..20 {
        assert_eq!(instance.invoke(&json!({ "n": n })).await.unwrap(), json!({ "n": n }));
    }
    let event = events::sqs_event(&[("m-1", "body")]);
    assert_eq!(instance.invoke(&event).await.unwrap(), event);
    assert!(instance.usage().peak_memory_bytes > 100_000, "{:?}", instance.usage());
    assert!(instance.usage().cpu > Duration::ZERO);
}

#[tokio::test]
async fn context_has_a_new_request_id_and_the_deadline() {
    let instance = Instance::builder(ECHO).timeout(Duration::from_secs(77)).start().await;
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let first = instance.invoke(&json!({ "context": true })).await.unwrap();
    let second = instance.invoke(&json!({ "context": true })).await.unwrap();
    assert_ne!(first["request_id"], second["request_id"]);
    let left_ms = first["deadline_ms"].as_u64().unwrap() - now_ms;
    assert!((77_000..77_000 + PATIENCE.as_millis() as u64).contains(&left_ms), "{left_ms}");
}

#[tokio::test]
async fn function_error_is_returned_and_the_instance_stays_alive() {
    let instance = Instance::start(ECHO, &[]).await;
    let Err(InvokeError::Function(error)) = instance.invoke(&json!({ "fail": true })).await else { panic!() };
    assert_eq!(error["errorMessage"], "told to fail");
    assert_eq!(instance.invoke(&json!(1)).await.unwrap(), json!(1));
}

#[tokio::test]
async fn process_exit_is_reported_to_every_waiting_call() {
    let instance = Instance::start(ECHO, &[]).await;
    let (ends, waits) = (json!({ "exit": true }), json!(1));
    let (ended, waited) = tokio::join!(instance.invoke(&ends), instance.invoke(&waits));
    for outcome in [ended, waited, instance.invoke(&waits).await] {
        let Err(InvokeError::Exited { status, stderr, .. }) = outcome else { panic!("{outcome:?}") };
        assert_eq!(status.code(), Some(3));
        assert!(stderr.contains("told to exit"), "{stderr}");
    }
}

#[tokio::test]
async fn function_that_fails_at_start_is_never_ready() {
    let instance = Instance::start(ECHO, &[("FAIL_AT_START", "1")]).await;
    let Err(InvokeError::Exited { status, stderr, .. }) = instance.ready().await else { panic!() };
    assert_eq!(status.code(), Some(1));
    assert!(stderr.contains("told to fail at start"), "{stderr}");
}

#[tokio::test]
async fn kill_ends_an_instance_during_an_event() {
    let instance = Instance::start(ECHO, &[]).await;
    instance.ready().await.unwrap();
    let event = json!({ "print": "begun", "sleep_ms": PATIENCE.as_millis() as u64 });
    let (outcome, ()) = tokio::join!(instance.invoke(&event), async {
        assert!(instance.logged("begun").await);
        instance.kill().await;
    });
    let Err(InvokeError::Exited { status, .. }) = outcome else { panic!("{outcome:?}") };
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
}

#[tokio::test]
async fn late_answer_is_a_timeout() {
    let instance = Instance::builder(ECHO).timeout(Duration::from_millis(200)).start().await;
    instance.ready().await.unwrap();
    let outcome = instance.invoke(&json!({ "sleep_ms": 60_000 })).await;
    assert!(matches!(outcome, Err(InvokeError::Timeout(_))), "{outcome:?}");
}

#[tokio::test]
async fn environment_is_lambdas_and_not_the_tests() {
    let instance = Instance::start(ECHO, &[("MINE", "1")]).await;
    let names = instance.invoke(&json!({ "env": true })).await.unwrap();
    let has = |name: &str| names.as_array().unwrap().iter().any(|seen| seen == name);
    assert!(has("MINE") && has("AWS_LAMBDA_RUNTIME_API") && has("AWS_REGION"));
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some() && !has("CARGO_MANIFEST_DIR"), "{names}");
}

/// Eight events of one second each. In sequence they would take at least 8 s on any machine.
#[tokio::test]
async fn instance_with_several_slots_handles_events_concurrently() {
    let instance = Arc::new(Instance::start(ECHO, &[("AWS_LAMBDA_MAX_CONCURRENCY", "8")]).await);
    instance.ready().await.unwrap();
    let since = Instant::now();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let instance = Arc::clone(&instance);
        calls.spawn(async move { instance.invoke(&json!({ "sleep_ms": 1000 })).await.unwrap() });
    }
    calls.join_all().await;
    assert!(since.elapsed() < Duration::from_secs(7), "{:?}", since.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_instances_run_concurrently() {
    let instances: Vec<_> = (0..20).map(|_| tokio::spawn(Instance::start(ECHO, &[]))).collect();
    let mut calls = Vec::new();
    for (n, instance) in instances.into_iter().enumerate() {
        let instance = instance.await.unwrap();
        calls.push(tokio::spawn(async move {
            for k in 0..50 {
                let event = json!([n, k]);
                assert_eq!(instance.invoke(&event).await.unwrap(), event);
            }
        }));
    }
    for call in calls {
        call.await.unwrap();
    }
}
