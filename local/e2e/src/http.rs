//! An HTTP client without TLS, for loopback.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client as Connections, connect::HttpConnector},
    rt::TokioExecutor,
};

/// Longer than the gateway's own limit of 29 s, so that a hanging function gets the gateway's answer, not this timeout.
const TIMEOUT: Duration = Duration::from_secs(40);

/// A server's answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// All headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl Response {
    /// The first value of a header, as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// A client with its own connection pool.
#[derive(Clone, Debug)]
pub struct Client(Connections<HttpConnector, Full<Bytes>>);

impl Client {
    /// A client that has not connected yet.
    pub fn new() -> Self {
        Self(Connections::builder(TokioExecutor::new()).build_http())
    }

    /// Sends a request to an absolute `http://` URL.
    ///
    /// # Panics
    /// If no answer arrives within 40 s.
    pub async fn send(&self, request: Request<Bytes>) -> Response {
        let what = format!("{} {}", request.method(), request.uri());
        let answer = async {
            let (head, body) =
                self.0.request(request.map(Full::new)).await.unwrap_or_else(|e| panic!("{what}: {e:?}")).into_parts();
            let body = body.collect().await.unwrap_or_else(|e| panic!("{what}: {e}")).to_bytes();
            Response { status: head.status.as_u16(), headers: head.headers, body }
        };
        tokio::time::timeout(TIMEOUT, answer).await.unwrap_or_else(|_| panic!("{what}: no answer in {TIMEOUT:?}"))
    }
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}
