//! A token issuer on loopback: OpenID Connect Discovery, its keys, and access tokens of any kind, including forged
//! ones.

mod key;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use crate::http::{HttpServer, json_response};

pub use key::{Algorithm, Key, assemble};

const DISCOVERY: &str = "/.well-known/openid-configuration";

/// An issuer. It runs on the tokio runtime that started it.
pub struct Issuer {
    server: HttpServer,
    state: Arc<State>,
    /// Its RSA key, `rsa`.
    pub rsa: Key,
    /// Its P-256 key, `ec`.
    pub ec: Key,
    /// Its Ed25519 key, `ed`.
    pub ed: Key,
}

#[derive(Default)]
struct State {
    fetches: AtomicU64,
    /// The discovery document and the key set; `None`: every call gets a 500.
    documents: Mutex<Option<Documents>>,
}

struct Documents {
    discovery: Value,
    keys: Bytes,
}

impl Issuer {
    /// Starts an issuer with a key for each algorithm, all of them published.
    pub async fn start() -> Self {
        let state = Arc::new(State::default());
        let answering = Arc::clone(&state);
        let server = HttpServer::start(move |request| {
            let answer = answering.answer(request.uri().path());
            async move { answer }
        })
        .await;
        let (rsa, ec, ed) = (Key::rsa("rsa", 2048), Key::ec("ec"), Key::ed("ed"));
        let issuer = Self { server, state, rsa, ec, ed };
        issuer.publish(&[issuer.rsa.jwk(), issuer.ec.jwk(), issuer.ed.jwk()]);
        issuer
    }

    /// The value for `OIDC_ISSUER`.
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address)
    }

    /// Publishes these keys only. Ends an outage that [`fail`](Self::fail) began.
    pub fn publish(&self, keys: &[Value]) {
        self.publish_text(json!({ "keys": keys }).to_string());
    }

    /// Publishes this text in place of a key set.
    pub fn publish_text(&self, keys: impl Into<Bytes>) {
        let discovery = json!({ "issuer": self.url(), "jwks_uri": format!("{}/keys", self.url()) });
        *self.state.documents.lock().unwrap() = Some(Documents { discovery, keys: keys.into() });
    }

    /// Publishes this discovery document.
    pub fn discover(&self, discovery: Value) {
        self.state.documents.lock().unwrap().as_mut().expect("it answers").discovery = discovery;
    }

    /// From now on answers every call with a 500.
    pub fn fail(&self) {
        *self.state.documents.lock().unwrap() = None;
    }

    /// The number of calls of the discovery path, whatever the response: how often the keys were fetched.
    pub fn fetches(&self) -> u64 {
        self.state.fetches.load(Ordering::Relaxed)
    }

    /// Valid claims for this audience and scope: subject `ada`, valid for five minutes.
    pub fn claims(&self, audience: &str, scope: &str) -> Value {
        let now = now();
        json!({ "iss": self.url(), "sub": "ada", "aud": audience, "iat": now, "exp": now + 300, "scope": scope })
    }
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

impl State {
    fn answer(&self, path: &str) -> Response<Full<Bytes>> {
        if path == DISCOVERY {
            self.fetches.fetch_add(1, Ordering::Relaxed);
        }
        let documents = self.documents.lock().unwrap();
        let body = match (&*documents, path) {
            (None, _) => {
                return json_response(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", "the test asked for this error");
            }
            (Some(documents), DISCOVERY) => documents.discovery.to_string().into(),
            (Some(documents), "/keys") => documents.keys.clone(),
            _ => return json_response(StatusCode::NOT_FOUND, "text/plain", "no such path"),
        };
        json_response(StatusCode::OK, "application/json", body)
    }
}
