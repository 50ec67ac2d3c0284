//! Answers.

use boxoffice_shared::Error;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use lambda_http::Body;
use serde::Serialize;

use super::{Problem, caller::CHALLENGE};

/// The headers of draft-ietf-httpapi-ratelimit-headers: what is allowed, and what is left of it.
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// An answer on its way to the client.
#[derive(Debug)]
pub struct Reply(Response<Body>);

impl Reply {
    /// 200 with a JSON body.
    pub(crate) fn ok(value: &impl Serialize) -> Self {
        Self::json(StatusCode::OK, "application/json", value)
    }

    /// 201 with a JSON body and the path of what was made, below the API's base URL.
    pub(crate) fn created(path: &str, value: &impl Serialize) -> Self {
        Self::json(StatusCode::CREATED, "application/json", value).with(header::LOCATION, path)
    }

    /// The problem's document.
    pub(crate) fn problem(problem: &Problem) -> Self {
        let reply = Self::json(problem.status(), "application/problem+json", &problem.document());
        let reply = match problem.retry_after() {
            Some(seconds) => reply.with(header::RETRY_AFTER, &seconds.to_string()),
            None => reply,
        };
        match problem {
            Problem::Unauthorized => reply.with(header::WWW_AUTHENTICATE, CHALLENGE),
            Problem::Refused(Error::HolderWaits { seconds, allowed }) => reply
                .with(RATE_LIMIT_POLICY, &format!("\"unpaid-holds\";q={allowed};w=3600"))
                .with(RATE_LIMIT, &format!("\"unpaid-holds\";r=0;t={seconds}")),
            _ => reply,
        }
    }

    /// Adds a header. One that cannot be sent is left out: our own values can.
    pub(crate) fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.0.headers_mut().insert(name, value);
        }
        self
    }

    /// The response for the Lambda runtime.
    pub(crate) fn into_response(self) -> Response<Body> {
        self.0
    }

    fn json(status: StatusCode, media_type: &'static str, value: &impl Serialize) -> Self {
        let (status, body) = match serde_json::to_string(value) {
            Ok(body) => (status, body),
            Err(error) => {
                tracing::error!(%error, "an answer could not be written as JSON");
                (StatusCode::INTERNAL_SERVER_ERROR, String::new())
            }
        };
        let mut response = Response::new(Body::Text(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        // Availability and bookings change by the second, and a booking is its holder's alone.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Self(response)
    }
}
