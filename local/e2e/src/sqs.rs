//! A client of SQS's JSON protocol. It does not use the AWS SDK, so that the tests do not share a client with the code
//! under test.

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

use crate::{http::Client, setting};

/// A queue of the local cloud.
#[derive(Debug)]
pub struct Queue {
    client: Client,
    endpoint: String,
    url: String,
}

impl Queue {
    /// The queue whose URL is in this environment variable.
    pub fn from_setting(name: &str) -> Self {
        Self {
            client: Client::new(),
            endpoint: setting::required("BOXOFFICE_AWS_ENDPOINT"),
            url: setting::required(name),
        }
    }

    /// Sends a message without a delay.
    pub async fn send(&self, body: &str) {
        self.call("SendMessage", json!({"MessageBody": body, "DelaySeconds": 0})).await;
    }

    /// Receives and deletes up to ten messages, and returns their bodies.
    pub async fn take(&self) -> Vec<String> {
        let received = self.call("ReceiveMessage", json!({"MaxNumberOfMessages": 10, "WaitTimeSeconds": 0})).await;
        let mut bodies = Vec::new();
        for message in received["Messages"].as_array().into_iter().flatten() {
            self.call("DeleteMessage", json!({"ReceiptHandle": message["ReceiptHandle"]})).await;
            bodies.push(message["Body"].as_str().unwrap().to_owned());
        }
        bodies
    }

    /// The queue's visibility timeout, in seconds.
    pub async fn visibility_timeout(&self) -> String {
        let answer = self.call("GetQueueAttributes", json!({"AttributeNames": ["VisibilityTimeout"]})).await;
        answer["Attributes"]["VisibilityTimeout"].as_str().unwrap().to_owned()
    }

    /// Sets the queue's visibility timeout, in seconds.
    pub async fn set_visibility_timeout(&self, seconds: &str) {
        self.call("SetQueueAttributes", json!({"Attributes": {"VisibilityTimeout": seconds}})).await;
    }

    async fn call(&self, action: &str, mut parameters: Value) -> Value {
        parameters["QueueUrl"] = json!(self.url);
        let request = Request::post(&self.endpoint)
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", format!("AmazonSQS.{action}"))
            // MiniStack accepts any signature. It reads the region from this header.
            .header(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=test/20300101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0",
            )
            .body(Bytes::from(parameters.to_string()))
            .unwrap();
        let response = self.client.send(request).await;
        let text = String::from_utf8_lossy(&response.body);
        assert_eq!(response.status, 200, "SQS {action}: {text}");
        if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() }
    }
}
