//! A client of the API. It checks every answer of every test against the contract, `openapi.yaml`.

use std::{
    net::Ipv4Addr,
    sync::atomic::{AtomicU32, Ordering},
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request};
use serde_json::{Value, json};
use url::Url;

use crate::{
    contract::{Contract, Exchange},
    http::{Client, Response},
    setting, token, unique,
};

/// The header from which MiniStack takes the caller's address. API Gateway ignores it and uses the connection's address
/// (`identity.sourceIp`). All callers of the local cloud connect from one address: without this header they would be
/// one holder.
const ADDRESS: &str = "x-forwarded-for";

/// A caller's address that is unique in this run, from the private range 10.0.0.0/8.
pub fn somebody() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    Ipv4Addr::from_bits(0x0a00_0000 | NEXT.fetch_add(1, Ordering::Relaxed)).to_string()
}

/// A request that is not sent yet.
#[derive(Clone, Debug)]
pub struct Call {
    method: String,
    path: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Bytes,
    /// Whether to add an operator's token if the route needs one.
    by_operator: bool,
}

impl Call {
    /// A request without a body. `path` is relative to the stage. On routes that only operators may call, it carries an
    /// operator's token.
    pub fn new(method: &str, path: &str) -> Self {
        let (method, path) = (method.to_owned(), path.to_owned());
        Self { method, path, headers: Vec::new(), body: Bytes::new(), by_operator: true }
    }

    /// Adds no token, not even on an operator's route.
    pub fn anonymous(mut self) -> Self {
        self.by_operator = false;
        self
    }

    /// Sends this token.
    pub fn token(self, token: &str) -> Self {
        self.anonymous().header("authorization", format!("Bearer {token}"))
    }

    /// Sends from this address. Otherwise each call has a new one.
    pub fn from(self, address: &str) -> Self {
        self.header(ADDRESS, address)
    }

    /// Adds a header. Its value may be any bytes.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Sends these bytes.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends these bytes as `application/json`.
    pub fn json(self, body: impl Into<Bytes>) -> Self {
        self.header("content-type", "application/json").body(body)
    }

    /// Adds a unique address if the call has none.
    fn with_address(self) -> Self {
        let has = self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(ADDRESS));
        if has { self } else { self.from(&somebody()) }
    }

    /// Adds an operator's token if the route needs one and `anonymous` was not called.
    fn with_token(self) -> Self {
        let path = self.path.split('?').next().unwrap_or_default();
        let is_operators = path.starts_with("/admin/") || path.ends_with("/confirm");
        if self.by_operator && is_operators { self.token(token::operator()) } else { self }
    }
}

/// An answer that keeps to the contract.
#[derive(Clone, Debug)]
pub struct Answer {
    what: String,
    /// The API's base URL, then the request's URL.
    base: String,
    url: String,
    response: Response,
    /// The body.
    pub body: Value,
}

impl Answer {
    /// The status code.
    pub fn status(&self) -> u16 {
        self.response.status
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.response.header(name)
    }

    /// The path, below the API's base URL, to which `Location` leads. It is resolved as RFC 3986 says.
    ///
    /// # Panics
    /// If the header is missing or leads out of the API.
    #[track_caller]
    pub fn location(&self) -> String {
        let location = self.header("location").unwrap_or_else(|| panic!("{} has no Location", self.what));
        let url = Url::parse(&self.url).and_then(|url| url.join(location)).unwrap();
        let path = url.as_str().strip_prefix(&self.base);
        path.unwrap_or_else(|| panic!("{}: {location} leads to {url}, out of {}", self.what, self.base)).to_owned()
    }

    /// The status, headers and body as text, without the headers that differ in every answer (date and request ids).
    pub fn looks(&self) -> String {
        let own = ["date", "x-amzn-requestid", "x-amz-request-id", "x-amz-apigw-id", "x-amzn-trace-id"];
        let headers = self.response.headers.iter().filter(|(name, _)| !own.contains(&name.as_str()));
        let mut headers: Vec<_> = headers.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        headers.sort_unstable();
        format!("{} {headers:?} {}", self.status(), self.body)
    }

    /// The body.
    ///
    /// # Panics
    /// If the answer has another status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> &Value {
        assert_eq!(self.status(), status, "{}: {}", self.what, self.body);
        &self.body
    }

    /// The body of a problem document.
    ///
    /// # Panics
    /// If the answer has another status, or its problem type does not end in this slug.
    #[track_caller]
    pub fn problem(&self, status: u16, slug: &str) -> &Value {
        assert_eq!(self.slug(), Some(slug), "{}: {} {}", self.what, self.status(), self.body);
        self.expect(status)
    }

    /// The last segment of the problem's type, or `None` for a success.
    pub fn slug(&self) -> Option<&str> {
        self.body["type"].as_str()?.rsplit('/').next()
    }

    /// The pointers in the problem's `errors`, sorted.
    pub fn pointers(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array();
        let mut pointers: Vec<_> = errors.into_iter().flatten().map(|e| e["pointer"].as_str().unwrap()).collect();
        pointers.sort_unstable();
        pointers
    }
}

/// The running API.
#[derive(Clone, Debug)]
pub struct Api {
    base: String,
    client: Client,
}

impl Api {
    /// The API of the local cloud.
    pub fn connect() -> Self {
        Self { base: setting::api_url(), client: Client::new() }
    }

    /// Sends a request and checks the answer against the contract.
    ///
    /// # Panics
    /// If the answer breaks the contract, or none arrives.
    pub async fn send(&self, call: Call) -> Answer {
        let call = call.with_token().with_address();
        let response = self.exchange(&call).await;
        let exchange = Exchange { method: &call.method, path: &call.path, sent: &call.body, response: &response };
        let breaches = Contract::get().breaches(exchange);
        let what = format!("{} {} {}", call.method, call.path, excerpt(&call.body));
        assert!(
            breaches.is_empty(),
            "the answer to {what}, {} {}, breaks openapi.yaml: {breaches:#?}",
            response.status,
            excerpt(&response.body)
        );
        let body = match call.method.as_str() {
            "HEAD" => Value::Null,
            _ => serde_json::from_slice(&response.body).unwrap_or_else(|e| panic!("{what}: {e}")),
        };
        Answer { what, base: self.base.clone(), url: format!("{}{}", self.base, call.path), response, body }
    }

    /// Sends a request that the contract does not describe, and returns the status and text of the answer.
    pub async fn send_anything(&self, call: Call) -> (u16, String) {
        let response = self.exchange(&call.with_token().with_address()).await;
        (response.status, String::from_utf8_lossy(&response.body).into_owned())
    }

    async fn exchange(&self, call: &Call) -> Response {
        let mut request = Request::new(call.body.clone());
        *request.method_mut() = Method::from_bytes(call.method.as_bytes()).unwrap();
        *request.uri_mut() = format!("{}{}", self.base, call.path).parse().unwrap();
        for (name, value) in &call.headers {
            let name: HeaderName = name.parse().unwrap();
            request.headers_mut().append(name, HeaderValue::from_bytes(value).unwrap());
        }
        self.client.send(request).await
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Call::new("GET", path)).await
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Call::new("DELETE", path)).await
    }

    /// `POST` without a body.
    pub async fn post(&self, path: &str) -> Answer {
        self.send(Call::new("POST", path)).await
    }

    /// `POST` with a JSON body.
    pub async fn post_json(&self, path: &str, body: &Value) -> Answer {
        self.send(Call::new("POST", path).json(body.to_string())).await
    }

    /// Creates a show in 2030 with a unique name, and returns its id.
    pub async fn create_show(&self, total_seats: u32) -> i64 {
        let show = json!({"name": unique("show"), "start_time": "2030-05-01T18:30:00Z", "total_seats": total_seats});
        self.create(&show).await
    }

    /// Creates a show and returns its id.
    pub async fn create(&self, show: &Value) -> i64 {
        self.post_json("/admin/shows", show).await.expect(201)["show_id"].as_i64().unwrap()
    }

    /// Books seats.
    pub async fn book(&self, show_id: i64, seats: u32) -> Answer {
        self.post_json(&format!("/shows/{show_id}/bookings"), &json!({"user_name": "Ada", "seats": seats})).await
    }

    /// Books seats with an idempotency key.
    pub async fn book_with_key(&self, show_id: i64, seats: u32, key: &str) -> Answer {
        let body = json!({"user_name": "Ada", "seats": seats}).to_string();
        let call = Call::new("POST", &format!("/shows/{show_id}/bookings")).header("idempotency-key", key);
        self.send(call.json(body)).await
    }

    /// The show's free seats, as the API shows them.
    pub async fn available_seats(&self, show_id: i64) -> i64 {
        self.get(&format!("/shows/{show_id}")).await.expect(200)["available_seats"].as_i64().unwrap()
    }
}

/// The first 300 characters of a body, for messages.
fn excerpt(body: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(body).chars().take(2000).collect();
    if text.chars().count() < 300 {
        text
    } else {
        format!("{}... ({} bytes)", &text.chars().take(300).collect::<String>(), body.len())
    }
}
