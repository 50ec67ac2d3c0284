//! When keys are read: against an issuer that counts.
#![allow(clippy::unwrap_used, reason = "tests")]

use boxoffice_shared::tls::connector;
use boxoffice_testkit::issuer::{Issuer as TestIssuer, Key as SigningKey};
use serde_json::json;

use super::*;

fn keyring(issuer: &TestIssuer) -> Keyring {
    let web = Web::new(&connector(None).unwrap());
    Keyring::new(Issuer::new(&issuer.url(), "boxoffice", String::new()).unwrap(), web)
}

impl Keyring {
    /// As if all that has happened had happened so much earlier.
    async fn age(&self, by: Duration) {
        let mut last = self.last.lock().await;
        last.tried = last.tried.map(|tried| tried.checked_sub(by).unwrap());
        last.keys = last.keys.take().map(|(keys, read)| (keys, read.checked_sub(by).unwrap()));
    }
}

#[tokio::test]
async fn keys_are_read_once_and_again_after_ten_minutes() {
    let issuer = TestIssuer::start().await;
    let keyring = keyring(&issuer);
    assert_eq!(issuer.fetches(), 0);
    for _ in 0..3 {
        assert_eq!(keyring.keys().await.unwrap().len(), 3);
    }
    assert_eq!(issuer.fetches(), 1);
    keyring.age(KEEP - Duration::from_secs(5)).await;
    keyring.keys().await.unwrap();
    assert_eq!(issuer.fetches(), 1);
    issuer.publish(&[issuer.ed.jwk()]);
    keyring.age(Duration::from_secs(6)).await;
    assert_eq!(keyring.keys().await.unwrap().len(), 1);
    assert_eq!(issuer.fetches(), 2);
}

#[tokio::test]
async fn many_who_come_at_once_read_once() {
    let issuer = TestIssuer::start().await;
    let keyring = keyring(&issuer);
    let calls: Vec<_> = (0..20)
        .map(|_| {
            tokio::spawn({
                let keyring = keyring.clone();
                async move { keyring.keys().await.unwrap().len() }
            })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), 3);
    }
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test]
async fn many_who_come_at_once_in_an_outage_try_once() {
    let issuer = TestIssuer::start().await;
    issuer.fail();
    let keyring = keyring(&issuer);
    let held = keyring.last.lock().await;
    let calls: Vec<_> = (0..20)
        .map(|_| {
            tokio::spawn({
                let keyring = keyring.clone();
                async move { keyring.keys().await.is_err() }
            })
        })
        .collect();
    // All of them come while the first is at it: the runtime has one thread, and the lock is ours.
    tokio::task::yield_now().await;
    drop(held);
    for call in calls {
        assert!(call.await.unwrap());
    }
    assert_eq!(issuer.fetches(), 1);
    // Whoever comes later tries anew.
    issuer.publish(&[issuer.ed.jwk()]);
    assert_eq!(keyring.keys().await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_unknown_key_has_them_read_again_but_not_within_30_s() {
    let issuer = TestIssuer::start().await;
    let keyring = keyring(&issuer);
    let old = keyring.keys().await.unwrap();
    issuer.publish(&[SigningKey::ed("new").jwk()]);
    for _ in 0..100 {
        assert!(keyring.newer_than(&old).await.is_none());
    }
    keyring.age(Duration::from_secs(29)).await;
    assert!(keyring.newer_than(&old).await.is_none());
    assert_eq!(issuer.fetches(), 1);
    keyring.age(Duration::from_secs(1)).await;
    let new = keyring.newer_than(&old).await.unwrap();
    assert_eq!((new.len(), issuer.fetches()), (1, 2));
    // Whoever was behind another's reading is told of its keys.
    assert!(Arc::ptr_eq(&keyring.newer_than(&old).await.unwrap(), &new));
    assert!(keyring.newer_than(&new).await.is_none());
    assert_eq!(issuer.fetches(), 2);
}

#[tokio::test]
async fn old_keys_stay_in_use_for_a_day_while_the_issuer_is_down() {
    let issuer = TestIssuer::start().await;
    let keyring = keyring(&issuer);
    let old = keyring.keys().await.unwrap();
    issuer.fail();
    keyring.age(KEEP).await;
    assert!(Arc::ptr_eq(&keyring.keys().await.unwrap(), &old));
    assert_eq!(issuer.fetches(), 2);
    // The next attempt is in 30 s, and not at the next call.
    keyring.keys().await.unwrap();
    assert_eq!(issuer.fetches(), 2);
    keyring.age(REREAD).await;
    assert!(keyring.keys().await.is_ok() && keyring.newer_than(&old).await.is_none());
    assert_eq!(issuer.fetches(), 3);
    keyring.age(KEEP_AT_MOST).await;
    assert!(keyring.keys().await.is_err());
    issuer.publish(&[issuer.ed.jwk()]);
    assert_eq!(keyring.keys().await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_no_issuers_answer_gives_no_keys() {
    let issuer = TestIssuer::start().await;
    let keys = format!("{}/keys", issuer.url());
    for discovery in [
        json!({ "issuer": "https://evil.example", "jwks_uri": keys }),
        json!({ "issuer": format!("{}/x", issuer.url()), "jwks_uri": keys }),
        json!({ "issuer": issuer.url(), "jwks_uri": "http://192.0.2.1/keys" }),
        json!({ "issuer": issuer.url(), "jwks_uri": "file:///etc/passwd" }),
        json!({ "issuer": issuer.url(), "jwks_uri": format!("{}/nowhere", issuer.url()) }),
        json!({ "issuer": issuer.url() }),
        json!({ "jwks_uri": keys }),
        json!([]),
    ] {
        issuer.discover(discovery.clone());
        assert!(keyring(&issuer).keys().await.is_err(), "{discovery}");
    }
    let good = || issuer.publish(&[issuer.ed.jwk()]);
    good();
    assert!(keyring(&issuer).keys().await.is_ok());
    // A slash more is the same issuer.
    issuer.discover(json!({ "issuer": format!("{}/", issuer.url()), "jwks_uri": keys }));
    assert!(keyring(&issuer).keys().await.is_ok());
    let set = json!({ "keys": [issuer.ed.jwk()] }).to_string();
    issuer.publish_text(format!("{set}{}", " ".repeat(64 * 1024 - set.len())));
    assert!(keyring(&issuer).keys().await.is_ok());
    issuer.publish_text(format!("{set}{}", " ".repeat(64 * 1024 + 1 - set.len())));
    assert!(keyring(&issuer).keys().await.is_err());
    issuer.publish_text("<html>");
    assert!(keyring(&issuer).keys().await.is_err());
}
