//! The queues: the real one and the fakes.

use crate::common;
use std::time::{Duration, Instant};

use boxoffice_testkit::sqs::{BlackHole, Counts, FixedDelayQueue, Refusing, Sqs};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn real_queue_delivers_messages_once_and_withholds_delayed_ones() {
    let sqs = Sqs::shared();
    let url = sqs.create_queue("gives-messages").await;
    for n in 0..12 {
        sqs.send(&url, &format!("message {n}"), 0).await;
    }
    sqs.send(&url, "later", 900).await;
    assert_eq!(sqs.counts(&url).await, Counts { visible: 12, in_flight: 0, delayed: 1 });
    let mut bodies: Vec<_> = sqs.receive_all(&url).await.into_iter().map(|message| message.body).collect();
    bodies.sort();
    bodies.dedup();
    assert_eq!(bodies.len(), 12);
    assert_eq!(sqs.counts(&url).await, Counts { visible: 0, in_flight: 0, delayed: 1 });
    let again = sqs.create_queue("another").await;
    assert!(sqs.receive_all(&again).await.is_empty(), "another queue should be empty");
}

/// Sends a request as the SDK does. The tests of the functions use the SDK itself.
async fn post(endpoint: &str, target: &str, body: &str) -> String {
    let address = endpoint.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "POST / HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\nx-amz-target: AmazonSQS.{target}\r\n\
         content-type: application/x-amz-json-1.0\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn slow_queue_answers_after_its_delay_with_the_digest() {
    let delay = Duration::from_millis(150);
    let queue = FixedDelayQueue::start(delay).await;
    let since = Instant::now();
    let answer = post(&queue.endpoint(), "SendMessage", r#"{"MessageBody":"hello","DelaySeconds":121}"#).await;
    assert!(since.elapsed() >= delay);
    assert!(answer.contains("5d41402abc4b2a76b9719d911017c592"), "the MD5 of `hello`: {answer}");
    let batch = r#"{"Entries":[{"Id":"a","MessageBody":"1"},{"Id":"b","MessageBody":"2"}]}"#;
    assert!(post(&queue.endpoint(), "SendMessageBatch", batch).await.contains(r#""Id":"b""#));
    queue.set_failing(true);
    assert!(post(&queue.endpoint(), "SendMessage", r#"{"MessageBody":"x"}"#).await.starts_with("HTTP/1.1 500"));
    assert_eq!(queue.count(), 3, "a failed request should not count");
    assert_eq!((queue.sent()[0].body.as_str(), queue.sent()[0].delay_seconds), ("hello", Some(121)));
    assert_eq!(queue.sent()[2].delay_seconds, None);
}

#[tokio::test]
async fn black_hole_is_silent_and_refusing_endpoint_is_closed() {
    let hole = BlackHole::start().await;
    let mut stream = TcpStream::connect(hole.address()).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(300), stream.read_u8()).await.is_err());
    drop(hole);
    assert!(stream.read_u8().await.is_err(), "the connection should close when the endpoint is dropped");

    let refused = TcpStream::connect(Refusing::start().address()).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[test]
fn endpoint_dies_with_its_process() {
    common::assert_dies_with_its_process("sqs");
}
