//! An issuer of access tokens on loopback: OpenID Connect Discovery, its keys, and tokens of any kind, forged ones too.

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

/// An issuer. It belongs to the tokio runtime that started it.
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
    /// What it says at the discovery's path and at its keys'; `None`: a 500.
    documents: Mutex<Option<Documents>>,
}

struct Documents {
    discovery: Value,
    keys: Bytes,
}

impl Issuer {
    /// With a key for each algorithm, all of them published.
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

    /// For `OIDC_ISSUER`.
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address)
    }

    /// Publishes these keys and no others, and answers again if it did not.
    pub fn publish(&self, keys: &[Value]) {
        self.publish_text(json!({ "keys": keys }).to_string());
    }

    /// Publishes this text in the place of keys.
    pub fn publish_text(&self, keys: impl Into<Bytes>) {
        let discovery = json!({ "issuer": self.url(), "jwks_uri": format!("{}/keys", self.url()) });
        *self.state.documents.lock().unwrap() = Some(Documents { discovery, keys: keys.into() });
    }

    /// Says this at the discovery's path.
    pub fn discover(&self, discovery: Value) {
        self.state.documents.lock().unwrap().as_mut().expect("it answers").discovery = discovery;
    }

    /// Answers every call by a 500 from now on.
    pub fn fail(&self) {
        *self.state.documents.lock().unwrap() = None;
    }

    /// How often its keys were asked for, whatever the answer was: by a call of the discovery's path.
    pub fn fetches(&self) -> u64 {
        self.state.fetches.load(Ordering::Relaxed)
    }

    /// Good claims for this audience: of the subject `ada`, valid for five minutes, with this scope.
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
                return json_response(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", "as the test asked for");
            }
            (Some(documents), DISCOVERY) => documents.discovery.to_string().into(),
            (Some(documents), "/keys") => documents.keys.clone(),
            _ => return json_response(StatusCode::NOT_FOUND, "text/plain", "nothing here"),
        };
        json_response(StatusCode::OK, "application/json", body)
    }
}
