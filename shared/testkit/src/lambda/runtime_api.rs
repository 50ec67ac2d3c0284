//! The Lambda Runtime API of one instance: `next`, `response`, `error` and `init/error` of version 2018-06-01.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot, watch};

use crate::http::{HttpServer, json_response};

const PREFIX: &str = "/2018-06-01/runtime/";

/// The function's response to an invocation.
pub(super) enum Answer {
    Response(Bytes),
    Error(Bytes),
}

/// An event on its way to the function.
struct Invocation {
    request_id: String,
    deadline_ms: u128,
    payload: Bytes,
}

/// The state of an instance's Runtime API.
pub(super) struct RuntimeApi {
    queue: mpsc::UnboundedSender<Invocation>,
    /// Locked in turn by the waiting `next` calls. If one of them is dropped, no event is lost.
    waiting: tokio::sync::Mutex<mpsc::UnboundedReceiver<Invocation>>,
    /// `None` once the process has ended: there will be no more responses.
    pending: Mutex<Option<HashMap<String, oneshot::Sender<Answer>>>>,
    first_next: watch::Sender<Option<Instant>>,
    init_error: Mutex<Option<Value>>,
    invocations: AtomicU64,
    arn: String,
}

impl RuntimeApi {
    pub(super) fn new(function_name: &str) -> Arc<Self> {
        let (queue, waiting) = mpsc::unbounded_channel();
        Arc::new(Self {
            queue,
            waiting: tokio::sync::Mutex::new(waiting),
            pending: Mutex::new(Some(HashMap::new())),
            first_next: watch::Sender::new(None),
            init_error: Mutex::new(None),
            invocations: AtomicU64::new(0),
            arn: format!("arn:aws:lambda:us-east-1:000000000000:function:{function_name}"),
        })
    }

    pub(super) async fn serve(self: &Arc<Self>) -> HttpServer {
        let api = Arc::clone(self);
        HttpServer::start(move |request| Arc::clone(&api).answer(request)).await
    }

    /// Queues an event. The receiver fails if the process has ended or ends first.
    pub(super) fn send(&self, payload: Bytes, timeout: Duration) -> (String, oneshot::Receiver<Answer>) {
        let number = self.invocations.fetch_add(1, Ordering::Relaxed);
        let request_id = format!("{:08x}-0000-4000-8000-{number:012x}", std::process::id());
        let (sender, receiver) = oneshot::channel();
        // Stored before it is queued, since the response may come at once.
        if let Some(pending) = self.pending.lock().unwrap().as_mut() {
            pending.insert(request_id.clone(), sender);
        }
        let deadline = SystemTime::now() + timeout;
        let deadline_ms = deadline.duration_since(UNIX_EPOCH).unwrap().as_millis();
        // This struct owns the receiver, so the channel is open.
        let _ = self.queue.send(Invocation { request_id: request_id.clone(), deadline_ms, payload });
        (request_id, receiver)
    }

    /// Forgets an invocation that nobody waits for. A late response then gets a 400, as from Lambda.
    pub(super) fn forget(&self, request_id: &str) {
        self.take(request_id);
    }

    /// Ends every wait for a response, because the process has ended.
    pub(super) fn close(&self) {
        self.pending.lock().unwrap().take();
    }

    pub(super) fn first_next(&self) -> watch::Receiver<Option<Instant>> {
        self.first_next.subscribe()
    }

    pub(super) fn init_error(&self) -> Option<Value> {
        self.init_error.lock().unwrap().clone()
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path().to_owned();
        let Some(call) = path.strip_prefix(PREFIX) else { return refused(StatusCode::NOT_FOUND) };
        match (request.method(), call) {
            (&Method::GET, "invocation/next") => self.next().await,
            (&Method::POST, "init/error") => {
                let Ok(body) = request.into_body().collect().await else { return refused(StatusCode::BAD_REQUEST) };
                *self.init_error.lock().unwrap() = Some(json_or_text(&body.to_bytes()));
                accepted()
            }
            (&Method::POST, call) => self.complete(call, request.into_body()).await,
            _ => refused(StatusCode::NOT_FOUND),
        }
    }

    async fn next(&self) -> Response<Full<Bytes>> {
        self.first_next.send_if_modified(|at| at.is_none().then(|| *at = Some(Instant::now())).is_some());
        let mut waiting = self.waiting.lock().await;
        let invocation = waiting.recv().await.expect("the sending half is in this same struct");
        drop(waiting);
        Response::builder()
            .header("content-type", "application/json")
            .header("lambda-runtime-aws-request-id", &invocation.request_id)
            .header("lambda-runtime-deadline-ms", invocation.deadline_ms.to_string())
            .header("lambda-runtime-invoked-function-arn", &self.arn)
            .header("lambda-runtime-trace-id", "Root=1-69d79bf0-000000000000000000000000;Sampled=0")
            .body(Full::new(invocation.payload))
            .expect("a response of our own making")
    }

    async fn complete(&self, call: &str, body: Incoming) -> Response<Full<Bytes>> {
        let Some((request_id, kind)) = call.strip_prefix("invocation/").and_then(|rest| rest.split_once('/')) else {
            return refused(StatusCode::NOT_FOUND);
        };
        // A streamed response that broke off does not count: the invocation stays open until the process ends.
        let Ok(body) = body.collect().await else { return refused(StatusCode::BAD_REQUEST) };
        let answer = match kind {
            "response" => Answer::Response(body.to_bytes()),
            "error" => Answer::Error(body.to_bytes()),
            _ => return refused(StatusCode::NOT_FOUND),
        };
        let Some(sender) = self.take(request_id) else { return refused(StatusCode::BAD_REQUEST) };
        // The caller may have given up in the meantime.
        let _ = sender.send(answer);
        accepted()
    }

    fn take(&self, request_id: &str) -> Option<oneshot::Sender<Answer>> {
        self.pending.lock().unwrap().as_mut()?.remove(request_id)
    }
}

/// The JSON value, or the text as a JSON string if it is not JSON.
pub(super) fn json_or_text(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()))
}

fn accepted() -> Response<Full<Bytes>> {
    json_response(StatusCode::ACCEPTED, "application/json", r#"{"status":"OK"}"#)
}

fn refused(status: StatusCode) -> Response<Full<Bytes>> {
    json_response(status, "application/json", r#"{"errorType":"InvalidRequest","errorMessage":"no such call or id"}"#)
}
