//! Webhook secrets in Secrets Manager: missing, added and rotated while the confirm binary runs.

use std::{sync::Arc, time::Duration};

use crate::common::{
    call, ready,
    webhook::{Scene, standard, stripe, stripe_by},
};
use boxoffice_testkit::secrets::SecretStore;
use tokio::task::JoinSet;

/// Without secrets the answer is 503, so that the provider retries. Once the secrets can be read, events are accepted.
#[tokio::test]
async fn webhooks_are_503_until_the_secrets_can_be_read() {
    let scene = Scene::new().await;
    let store = SecretStore::start(None).await;
    let builder = scene.confirm(&store.endpoint(), "http://127.0.0.1:1/queue").env("STRIPE_WEBHOOK_SECRETS", "");
    let instance = ready(builder.env("STRIPE_WEBHOOK_SECRET_ARN", store.arn())).await;
    let event = scene.paid(1);
    let answer = call(&instance, &stripe(&event)).await;
    assert_eq!((answer.status, answer.problem()), (503, "unavailable"));
    // A value that is not a list of secrets counts as none.
    store.set(Some("s3cret"));
    assert_eq!(call(&instance, &stripe(&event)).await.status, 503);
    store.set(Some("whsec_stored"));
    let reads = store.reads();
    assert_eq!(call(&instance, &stripe_by("whsec_stored", &event)).await.body["outcome"], "confirmed");
    assert_eq!(call(&instance, &stripe_by("whsec_stored", &event)).await.body["outcome"], "repeated");
    // Neither a bad signature nor the other endpoint makes it read the secrets again at once.
    assert_eq!(call(&instance, &stripe_by("whsec_rubbish", &event)).await.status, 401);
    assert_eq!(call(&instance, &standard("msg_1", "{}")).await.status, 200);
    assert_eq!(store.reads() - reads, 1);
    assert!(!instance.stdout().contains("s3cret") && !instance.stderr().contains("s3cret"));
}

/// It takes its 30 seconds: the time after which keys are read again at the earliest. Of several payments at once that are signed by
/// the new one none is refused, and one reading serves them.
#[tokio::test]
async fn a_rotated_secret_is_found_without_a_restart() {
    let scene = Scene::new().await;
    let store = SecretStore::start(Some("whsec_old")).await;
    let builder = scene.confirm(&store.endpoint(), "http://127.0.0.1:1/queue").env("STRIPE_WEBHOOK_SECRETS", "");
    let builder = builder.env("STRIPE_WEBHOOK_SECRET_ARN", store.arn()).env("AWS_LAMBDA_MAX_CONCURRENCY", "8");
    let instance = Arc::new(ready(builder).await);
    assert_eq!(call(&instance, &stripe_by("whsec_old", &scene.paid(1))).await.body["outcome"], "confirmed");
    store.set(Some("whsec_new"));
    assert_eq!(call(&instance, &stripe_by("whsec_new", &scene.paid(1))).await.status, 401);
    tokio::time::sleep(Duration::from_secs(31)).await;
    let mut calls = JoinSet::new();
    for _ in 0..16 {
        let (instance, event) = (Arc::clone(&instance), stripe_by("whsec_new", &scene.paid(1)));
        calls.spawn(async move { call(&instance, &event).await });
    }
    for answer in calls.join_all().await {
        assert_eq!(answer.body["outcome"], "repeated", "{}", answer.body);
    }
    assert_eq!(call(&instance, &stripe_by("whsec_old", &scene.paid(1))).await.status, 401);
    assert_eq!(store.reads(), 2);
}
