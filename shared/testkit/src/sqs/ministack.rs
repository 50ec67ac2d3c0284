//! A real SQS endpoint: MiniStack, the emulator that the local cloud also uses.

use std::ffi::OsStr;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use super::CONTENT_TYPE;
use crate::postgres::free_port;
use crate::watcher::Watcher;

/// The time limit from the start of the process to the open port; 0.3 s is usual.
const START_TIMEOUT: Duration = Duration::from_secs(60);
const POLL_EVERY: Duration = Duration::from_millis(20);

/// `$1` port, `$2` directory, `$3` program. The environment has only what Python needs.
const START: &str = r#"cd "$2" && env -i PATH="$PATH" HOME="$2" TMPDIR="$2" SERVICES=sqs BIND_HOST=127.0.0.1 \
    MINISTACK_HOST=127.0.0.1 GATEWAY_PORT="$1" LOG_LEVEL=WARNING "$3" >"$2/log" 2>&1 & pid=$!; echo "$pid" >"$2/pid""#;
const CLEAN_UP: &str = r#"kill -KILL "$pid"; wait "$pid"; rm -rf "$2""#;

/// A running SQS endpoint. It and its queues end on drop or with this process.
pub struct Sqs {
    port: u16,
    _watcher: Watcher,
}

/// A received message.
#[derive(Clone, Debug)]
pub struct Message {
    /// The message's id in the queue.
    pub message_id: String,
    /// The body.
    pub body: String,
    /// System attributes such as `ApproximateReceiveCount`: name to text.
    pub attributes: Value,
}

/// The number of messages in a queue, by state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Ready to be received.
    pub visible: u64,
    /// Received and not deleted.
    pub in_flight: u64,
    /// Not receivable until the delay is over.
    pub delayed: u64,
}

impl Sqs {
    /// Starts an endpoint, which takes about a third of a second. Blocks the thread.
    pub fn start() -> Self {
        let program = find();
        let dir = tempfile::Builder::new().prefix("boxoffice-sqs-").tempdir().expect("a temporary directory").keep();
        let port = free_port();
        let port_text = port.to_string();
        let arguments = [OsStr::new(&port_text), dir.as_os_str(), program.as_os_str()];
        let watcher = Watcher::new(START, CLEAN_UP, &arguments);
        wait_for(port, &dir);
        Self { port, _watcher: watcher }
    }

    /// The endpoint that this process shares, started at the first call. It holds nothing of a tokio runtime.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Sqs> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// The value for `AWS_ENDPOINT_URL`.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Creates a queue, or finds the one with this name, and returns its URL. Tests that share the endpoint need
    /// distinct names.
    pub async fn create_queue(&self, name: &str) -> String {
        let answer = self.call("CreateQueue", json!({ "QueueName": name })).await;
        answer["QueueUrl"].as_str().expect("a new queue should have a URL").to_owned()
    }

    /// Sends a message.
    pub async fn send(&self, queue_url: &str, body: &str, delay_seconds: u32) {
        let message = json!({ "QueueUrl": queue_url, "MessageBody": body, "DelaySeconds": delay_seconds });
        self.call("SendMessage", message).await;
    }

    /// Receives and deletes all messages that are visible now.
    pub async fn receive_all(&self, queue_url: &str) -> Vec<Message> {
        let ask = json!({ "QueueUrl": queue_url, "MaxNumberOfMessages": 10, "AttributeNames": ["All"] });
        let mut messages = Vec::new();
        loop {
            let answer = self.call("ReceiveMessage", ask.clone()).await;
            let received = answer["Messages"].as_array().cloned().unwrap_or_default();
            if received.is_empty() {
                return messages;
            }
            for message in received {
                let delete = json!({ "QueueUrl": queue_url, "ReceiptHandle": message["ReceiptHandle"] });
                self.call("DeleteMessage", delete).await;
                messages.push(Message::from_json(&message));
            }
        }
    }

    /// The number of messages in the queue, including delayed ones, which cannot be received.
    pub async fn counts(&self, queue_url: &str) -> Counts {
        let ask = json!({ "QueueUrl": queue_url, "AttributeNames": ["All"] });
        let answer = self.call("GetQueueAttributes", ask).await;
        let count = |name: &str| answer["Attributes"][name].as_str().and_then(|text| text.parse().ok()).unwrap();
        Counts {
            visible: count("ApproximateNumberOfMessages"),
            in_flight: count("ApproximateNumberOfMessagesNotVisible"),
            delayed: count("ApproximateNumberOfMessagesDelayed"),
        }
    }

    /// Makes a call in the AWS JSON protocol, unsigned, since MiniStack does not check signatures. Each call has its
    /// own client, because a client is bound to a runtime.
    async fn call(&self, action: &str, body: Value) -> Value {
        let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
        let request = Request::builder()
            .method(Method::POST)
            .uri(self.endpoint())
            .header("content-type", CONTENT_TYPE)
            .header("x-amz-target", format!("AmazonSQS.{action}"))
            .body(Full::new(body.to_string().into()))
            .unwrap();
        let response = client.request(request).await.unwrap_or_else(|error| panic!("{action}: {error}"));
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        assert!(status.is_success(), "{action}: {status} {}", String::from_utf8_lossy(&bytes));
        serde_json::from_slice(&bytes).unwrap_or(Value::Null)
    }
}

impl Message {
    fn from_json(message: &Value) -> Self {
        let text = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
        Self { message_id: text("MessageId"), body: text("Body"), attributes: message["Attributes"].clone() }
    }
}

fn find() -> PathBuf {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/ministack/bin/ministack");
    let program = std::env::var_os("BOXOFFICE_MINISTACK").map_or(ours, PathBuf::from);
    assert!(program.is_file(), "no MiniStack at {}: run `make tools`", program.display());
    std::path::absolute(program).unwrap()
}

fn wait_for(port: u16, dir: &Path) {
    let since = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        let log = || std::fs::read_to_string(dir.join("log")).unwrap_or_default();
        assert!(!ended(dir), "MiniStack ended; its log:\n{}", log());
        assert!(since.elapsed() < START_TIMEOUT, "MiniStack does not start; its log:\n{}", log());
        std::thread::sleep(POLL_EVERY);
    }
}

/// Whether the process has ended: the shell that started it leaves a zombie. Always false where there is no `/proc`.
fn ended(dir: &Path) -> bool {
    let pid = std::fs::read_to_string(dir.join("pid")).unwrap_or_default();
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z'))
}
