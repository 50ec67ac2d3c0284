//! Tests of what is read from an issuer. When it is read is tested with [`Refreshed`].
#![allow(clippy::unwrap_used, reason = "tests")]

use boxoffice_shared::platform::tls::connector;
use boxoffice_testkit::issuer::Issuer as TestIssuer;
use serde_json::json;

use super::*;

fn of(issuer: &TestIssuer) -> Keyring {
    let web = Web::new(&connector(None).unwrap());
    keyring(Issuer::new(&issuer.url(), "boxoffice", String::new()).unwrap(), web)
}

#[tokio::test]
async fn concurrent_calls_read_the_keys_once() {
    let issuer = TestIssuer::start().await;
    let keyring = of(&issuer);
    assert_eq!(issuer.fetches(), 0);
    let calls: Vec<_> = (0..20)
        .map(|_| {
            tokio::spawn({
                let keyring = keyring.clone();
                async move { keyring.get().await.unwrap().len() }
            })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), 3);
    }
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test]
async fn an_invalid_document_gives_no_keys() {
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
        assert!(of(&issuer).get().await.is_err(), "{discovery}");
    }
    let good = || issuer.publish(&[issuer.ed.jwk()]);
    good();
    assert!(of(&issuer).get().await.is_ok());
    // A trailing slash makes no difference.
    issuer.discover(json!({ "issuer": format!("{}/", issuer.url()), "jwks_uri": keys }));
    assert!(of(&issuer).get().await.is_ok());
    let set = json!({ "keys": [issuer.ed.jwk()] }).to_string();
    issuer.publish_text(format!("{set}{}", " ".repeat(64 * 1024 - set.len())));
    assert!(of(&issuer).get().await.is_ok());
    issuer.publish_text(format!("{set}{}", " ".repeat(64 * 1024 + 1 - set.len())));
    assert!(of(&issuer).get().await.is_err());
    issuer.publish_text("<html>");
    assert!(of(&issuer).get().await.is_err());
}
