//! API keys of partners, created as an operator creates them (docs/deploy.md, "Rate limits and partners"). The requests
//! do not use the AWS SDK, for the same reason as in [`sqs`](crate::sqs).

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

use crate::{http::Client, setting, unique};

/// Creates a key in the partners' usage plan and returns its value.
pub async fn key() -> String {
    let key = post("apikeys", json!({"name": unique("partner"), "enabled": true})).await;
    let plan = setting::required("BOXOFFICE_USAGE_PLAN_ID");
    post(&format!("usageplans/{plan}/keys"), json!({"keyId": key["id"], "keyType": "API_KEY"})).await;
    key["value"].as_str().unwrap().to_owned()
}

/// Creates a key that is in no usage plan and returns its value.
pub async fn key_without_a_plan() -> String {
    post("apikeys", json!({"name": unique("partner"), "enabled": true})).await["value"].as_str().unwrap().to_owned()
}

async fn post(path: &str, body: Value) -> Value {
    let request = Request::post(format!(
        "{}/{path}",
        setting::required("BOXOFFICE_AWS_ENDPOINT").trim_end_matches('/')
    ))
    .header("content-type", "application/json")
    // MiniStack accepts any signature. It reads the service and the region from this header.
    .header(
        "authorization",
        "AWS4-HMAC-SHA256 Credential=test/20300101/us-east-1/apigateway/aws4_request, SignedHeaders=host, Signature=0",
    )
    .body(Bytes::from(body.to_string()))
    .unwrap();
    let response = Client::new().send(request).await;
    let text = String::from_utf8_lossy(&response.body);
    assert!(response.status < 300, "{path}: {} {text}", response.status);
    serde_json::from_slice(&response.body).unwrap()
}
