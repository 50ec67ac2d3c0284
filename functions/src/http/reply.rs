//! Responses.

use std::collections::BTreeMap;

use boxoffice_shared::Error;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::{Serialize, Serializer, ser::SerializeStruct};

use super::{Problem, caller::CHALLENGE};

const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The headers of draft-ietf-httpapi-ratelimit-headers: the limit, and what is left of it.
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// A response. Its JSON form is what API Gateway expects of a function.
#[derive(Debug)]
pub struct Reply {
    status: StatusCode,
    headers: Vec<(HeaderName, String)>,
    body: String,
}

impl Reply {
    /// 200 with a JSON body.
    pub fn ok(value: &impl Serialize) -> Self {
        Self::json(StatusCode::OK, "application/json", value)
    }

    /// 201 with a JSON body and the [`Call::location`](super::Call::location) of what was created.
    pub(crate) fn created(location: &str, value: &impl Serialize) -> Self {
        Self::json(StatusCode::CREATED, "application/json", value).with(header::LOCATION, location)
    }

    /// Adds `Idempotency-Replayed`, if an earlier request with the same key had the effect.
    pub(crate) fn replayed(self, replayed: bool) -> Self {
        if replayed { self.with(IDEMPOTENCY_REPLAYED, "true") } else { self }
    }

    /// The problem as a response.
    pub(crate) fn problem(problem: &Problem) -> Self {
        let reply = Self::json(problem.status(), "application/problem+json", &problem.document());
        let reply = match problem.retry_after() {
            Some(seconds) => reply.with(header::RETRY_AFTER, &seconds.to_string()),
            None => reply,
        };
        match problem {
            Problem::MethodNotAllowed(methods) => reply.with(header::ALLOW, &methods.join(", ")),
            Problem::Unauthorized => reply.with(header::WWW_AUTHENTICATE, CHALLENGE),
            Problem::Refused(Error::HolderWaits { seconds, allowed }) => reply
                .with(RATE_LIMIT_POLICY, &format!("\"unpaid-holds\";q={allowed};w=3600"))
                .with(RATE_LIMIT, &format!("\"unpaid-holds\";r=0;t={seconds}")),
            _ => reply,
        }
    }

    /// Adds a header. A value that is not a valid header value is left out; ours are valid.
    pub(crate) fn with(mut self, name: HeaderName, value: &str) -> Self {
        if HeaderValue::from_str(value).is_ok() {
            self.headers.push((name, value.to_owned()));
        }
        self
    }

    /// The response to `HEAD`: without the body, but with its length (RFC 9110, 8.6).
    pub(crate) fn without_body(self) -> Self {
        let length = self.body.len().to_string();
        Self { body: String::new(), ..self.with(header::CONTENT_LENGTH, &length) }
    }

    fn json(status: StatusCode, media_type: &'static str, value: &impl Serialize) -> Self {
        let (status, body) = match serde_json::to_string(value) {
            Ok(body) => (status, body),
            Err(error) => {
                tracing::error!(%error, "a response could not be written as JSON");
                (StatusCode::INTERNAL_SERVER_ERROR, String::new())
            }
        };
        let reply = Self { status, headers: Vec::new(), body };
        // Availability and bookings change by the second, and bookings are private.
        reply.with(header::CONTENT_TYPE, media_type).with(header::CACHE_CONTROL, "no-store")
    }
}

impl Serialize for Reply {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let headers: BTreeMap<_, _> = self.headers.iter().map(|(name, value)| (name.as_str(), value)).collect();
        let mut reply = serializer.serialize_struct("Reply", 4)?;
        reply.serialize_field("statusCode", &self.status.as_u16())?;
        reply.serialize_field("headers", &headers)?;
        reply.serialize_field("body", &self.body)?;
        reply.serialize_field("isBase64Encoded", &false)?;
        reply.end()
    }
}
