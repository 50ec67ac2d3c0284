//! A queue that accepts messages, responds after a fixed delay, and records what it was sent.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::CONTENT_TYPE;
use crate::events::md5_hex;
use crate::http::{HttpServer, json_response};

/// How many of the latest messages are recorded; all are counted.
const REMEMBERED: usize = 10_000;

/// Answers `SendMessage` and `SendMessageBatch` as SQS does, after a delay. It never delivers a message.
///
/// The timer may add up to a millisecond to the delay. While the queue is held, it sends no responses. It runs on the
/// tokio runtime that started it.
pub struct FixedDelayQueue {
    server: HttpServer,
    state: Arc<State>,
}

/// A message that was sent to the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The body.
    pub body: String,
    /// `DelaySeconds`, if given.
    pub delay_seconds: Option<u64>,
}

struct State {
    answer_after: Duration,
    failing: AtomicBool,
    held: watch::Sender<bool>,
    count: AtomicU64,
    sent: Mutex<VecDeque<Sent>>,
}

impl FixedDelayQueue {
    /// Starts a queue that responds to each call `answer_after` its arrival.
    pub async fn start(answer_after: Duration) -> Self {
        let state = Arc::new(State {
            answer_after,
            failing: AtomicBool::new(false),
            held: watch::Sender::new(false),
            count: AtomicU64::new(0),
            sent: Mutex::new(VecDeque::new()),
        });
        let answering = Arc::clone(&state);
        let server = HttpServer::start(move |request| Arc::clone(&answering).answer(request)).await;
        Self { server, state }
    }

    /// The value for `AWS_ENDPOINT_URL`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.server.address)
    }

    /// The value for `HOLD_QUEUE_URL`.
    pub fn queue_url(&self) -> String {
        format!("{}/000000000000/holds", self.endpoint())
    }

    /// Starts or stops failing: a failing queue answers every call with a 500 and accepts nothing.
    pub fn set_failing(&self, failing: bool) {
        self.state.failing.store(failing, Ordering::Relaxed);
    }

    /// Starts or stops holding: a held queue accepts messages and sends its responses only when it is no longer held.
    pub fn set_held(&self, held: bool) {
        self.state.held.send_replace(held);
    }

    /// The number of messages accepted.
    pub fn count(&self) -> u64 {
        self.state.count.load(Ordering::Relaxed)
    }

    /// The last 10,000 messages, in the order of arrival.
    pub fn sent(&self) -> Vec<Sent> {
        self.state.sent.lock().unwrap().iter().cloned().collect()
    }
}

impl State {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let target = request.headers().get("x-amz-target").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let (status, answer) = self.act(target.as_deref(), &body);
        // `self` owns the sender, so the channel is open.
        let _ = self.held.subscribe().wait_for(|held| !held).await;
        if !self.answer_after.is_zero() {
            tokio::time::sleep(self.answer_after).await;
        }
        json_response(status, CONTENT_TYPE, answer.to_string())
    }

    fn act(&self, target: Option<&str>, body: &[u8]) -> (StatusCode, Value) {
        if self.failing.load(Ordering::Relaxed) {
            return refusal(StatusCode::INTERNAL_SERVER_ERROR, "InternalError");
        }
        let Ok(body) = serde_json::from_slice::<Value>(body) else {
            return refusal(StatusCode::BAD_REQUEST, "SerializationException");
        };
        match target {
            Some("AmazonSQS.SendMessage") => (StatusCode::OK, self.take(&body)),
            Some("AmazonSQS.SendMessageBatch") => {
                let entries = body["Entries"].as_array().into_iter().flatten();
                let taken: Vec<Value> = entries.map(|entry| with_id(self.take(entry), &entry["Id"])).collect();
                (StatusCode::OK, json!({ "Successful": taken, "Failed": [] }))
            }
            _ => refusal(StatusCode::BAD_REQUEST, "UnsupportedOperation"),
        }
    }

    fn take(&self, message: &Value) -> Value {
        let body = message["MessageBody"].as_str().unwrap_or_default();
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let mut sent = self.sent.lock().unwrap();
        if sent.len() == REMEMBERED {
            sent.pop_front();
        }
        sent.push_back(Sent { body: body.to_owned(), delay_seconds: message["DelaySeconds"].as_u64() });
        drop(sent);
        // The SDK may check the digest.
        json!({ "MessageId": format!("00000000-0000-4000-8000-{number:012x}"), "MD5OfMessageBody": md5_hex(body) })
    }
}

fn with_id(mut answer: Value, id: &Value) -> Value {
    answer["Id"] = id.clone();
    answer
}

fn refusal(status: StatusCode, kind: &str) -> (StatusCode, Value) {
    (status, json!({ "__type": format!("com.amazonaws.sqs#{kind}"), "message": "the test asked for this error" }))
}
