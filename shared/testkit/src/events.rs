//! Events as the triggers send them: API Gateway REST API requests, SQS batches, EventBridge schedules.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use md5::{Digest as _, Md5};
use serde_json::{Map, Value, json};

/// An API Gateway REST API proxy event of stage `v1`.
///
/// `resource` is the route, such as `/shows/{show_id}`; each pair of `path_params` replaces its `{name}`. A header or
/// query parameter that is given twice has two values; the single-value maps contain the last.
///
/// ```
/// use boxoffice_testkit::events::api_event;
/// let event = api_event("GET", "/shows/{show_id}", &[("show_id", "7")], &[], &[], None);
/// assert_eq!(event["path"], "/shows/7");
/// ```
pub fn api_event(
    method: &str,
    resource: &str,
    path_params: &[(&str, &str)],
    query: &[(&str, &str)],
    headers: &[(&str, &str)],
    body: Option<&str>,
) -> Value {
    let path =
        path_params.iter().fold(resource.to_owned(), |path, (name, value)| path.replace(&format!("{{{name}}}"), value));
    json!({
        "resource": resource,
        "path": path,
        "httpMethod": method,
        "headers": single(headers),
        "multiValueHeaders": multi(headers),
        "queryStringParameters": single(query),
        "multiValueQueryStringParameters": multi(query),
        "pathParameters": single(path_params),
        "stageVariables": null,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "boxoffice0",
            "domainName": "boxoffice0.execute-api.us-east-1.amazonaws.com",
            "domainPrefix": "boxoffice0",
            "extendedRequestId": "JKJaXmPLvHcESHA=",
            "httpMethod": method,
            "identity": { "sourceIp": "192.0.2.1", "userAgent": "boxoffice-testkit" },
            "path": format!("/v1{path}"),
            "protocol": "HTTP/1.1",
            "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
            "requestTime": "09/Apr/2026:12:34:56 +0000",
            "requestTimeEpoch": 1_775_738_096_000_u64,
            "resourceId": "123456",
            "resourcePath": resource,
            "stage": "v1"
        },
        "body": body,
        "isBase64Encoded": false
    })
}

/// The event as the gateway forwards it for a token of this subject with these scopes, valid for an hour: with the
/// authorizer's context.
pub fn with_token(event: Value, subject: &str, scope: &str) -> Value {
    let expires = SystemTime::now() + Duration::from_secs(3_600);
    with_token_until(event, subject, scope, expires)
}

/// As [`with_token`], with a token that is valid until `expires`.
pub fn with_token_until(mut event: Value, subject: &str, scope: &str, expires: SystemTime) -> Value {
    let expires = expires.duration_since(UNIX_EPOCH).unwrap().as_secs().to_string();
    event["requestContext"]["authorizer"] =
        json!({ "principalId": subject, "sub": subject, "scope": scope, "exp": expires, "integrationLatency": 3 });
    event
}

/// The event from another address than the default, 192.0.2.1.
pub fn from_address(mut event: Value, address: &str) -> Value {
    event["requestContext"]["identity"]["sourceIp"] = json!(address);
    event
}

/// The event from an address that no other event of this process has, and so from another caller each time.
pub fn from_somebody(event: Value) -> Value {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // 10.0.0.0/8 is private.
    let address = Ipv4Addr::from_bits(0x0a00_0000 + NEXT.fetch_add(1, Ordering::Relaxed));
    from_address(event, &address.to_string())
}

/// An SQS batch of `(message id, body)`.
pub fn sqs_event(messages: &[(&str, &str)]) -> Value {
    let record = |(id, body): &(&str, &str)| {
        json!({
            "messageId": id,
            "receiptHandle": format!("handle-of-{id}"),
            "body": body,
            "attributes": {
                "ApproximateReceiveCount": "1",
                "SentTimestamp": "1775738096000",
                "SenderId": "AIDAIENQZJOLO23YVJ4VO",
                "ApproximateFirstReceiveTimestamp": "1775738217000"
            },
            "messageAttributes": {},
            "md5OfBody": md5_hex(body),
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:holds",
            "awsRegion": "us-east-1"
        })
    };
    json!({ "Records": messages.iter().map(record).collect::<Vec<_>>() })
}

/// The batch in its `count`th delivery.
pub fn delivered_again(mut event: Value, count: u32) -> Value {
    for record in event["Records"].as_array_mut().unwrap() {
        record["attributes"]["ApproximateReceiveCount"] = json!(count.to_string());
    }
    event
}

/// The event that an EventBridge schedule sends.
pub fn schedule_event() -> Value {
    json!({
        "version": "0",
        "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "000000000000",
        "time": "2026-04-09T12:34:56Z",
        "region": "us-east-1",
        "resources": ["arn:aws:events:us-east-1:000000000000:rule/sweep-holds"],
        "detail": {}
    })
}

/// Maps each name to its last value. Without pairs: null and not an empty object, as in API Gateway.
fn single(pairs: &[(&str, &str)]) -> Value {
    let map: Map<String, Value> = pairs.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    if map.is_empty() { Value::Null } else { Value::Object(map) }
}

fn multi(pairs: &[(&str, &str)]) -> Value {
    let mut map = Map::new();
    for (name, value) in pairs {
        let values = map.entry((*name).to_owned()).or_insert_with(|| json!([]));
        values.as_array_mut().unwrap().push(json!(value));
    }
    if map.is_empty() { Value::Null } else { Value::Object(map) }
}

/// The MD5 in lower-case hex, as SQS reports it for a message.
pub(crate) fn md5_hex(text: &str) -> String {
    Md5::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}
