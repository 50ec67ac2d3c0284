//! A Secrets Manager on loopback with one secret, which can be changed and removed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, StatusCode};
use serde_json::json;

use crate::http::{HttpServer, json_response};

const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// Answers `GetSecretValue` with its text, whichever secret is requested. It runs on the tokio runtime that started it.
pub struct SecretStore {
    server: HttpServer,
    state: Arc<State>,
}

struct State {
    text: Mutex<Option<String>>,
    reads: AtomicU64,
}

impl SecretStore {
    /// Starts with this text. Without a text it answers with a 500.
    pub async fn start(text: Option<&str>) -> Self {
        let state = Arc::new(State { text: Mutex::new(text.map(str::to_owned)), reads: AtomicU64::new(0) });
        let answering = Arc::clone(&state);
        let server = HttpServer::start(move |_request| {
            let answer = answering.answer();
            async move { answer }
        })
        .await;
        Self { server, state }
    }

    /// The value for `AWS_ENDPOINT_URL`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.server.address)
    }

    /// An ARN for the secret.
    pub fn arn(&self) -> &'static str {
        "arn:aws:secretsmanager:us-east-1:000000000000:secret:webhooks-AbCdEf"
    }

    /// Changes or removes the text.
    pub fn set(&self, text: Option<&str>) {
        *self.state.text.lock().unwrap() = text.map(str::to_owned);
    }

    /// The number of reads, including failed ones.
    pub fn reads(&self) -> u64 {
        self.state.reads.load(Ordering::Relaxed)
    }
}

impl State {
    fn answer(&self) -> Response<Full<Bytes>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        match &*self.text.lock().unwrap() {
            Some(text) => json_response(StatusCode::OK, CONTENT_TYPE, json!({ "SecretString": text }).to_string()),
            None => {
                let refusal = json!({ "__type": "InternalServiceError", "message": "the test asked for this error" });
                json_response(StatusCode::INTERNAL_SERVER_ERROR, CONTENT_TYPE, refusal.to_string())
            }
        }
    }
}
