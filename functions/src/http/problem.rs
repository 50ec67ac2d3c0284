//! Errors as problem documents (RFC 9457).

use std::error::Error as _;

use boxoffice_shared::{Error, Invalid};
use http::StatusCode;
use serde_json::{Value, json};

/// The base of the problem types. They are names, not pages; `openapi.yaml` describes each.
const TYPES: &str = "https://boxoffice.example/problems/";

/// Why a request failed.
#[derive(Debug)]
pub enum Problem {
    /// The operation failed.
    Refused(Error),
    /// The body has members that are missing, invalid or unknown. All faults.
    InvalidBody(Vec<Fault>),
    /// Query parameters or headers are invalid. All faults.
    InvalidRequest(Vec<Fault>),
    /// The body is not a JSON object.
    MalformedJson(String),
    /// The media type or the encoding of the body is not supported. What it must be.
    UnsupportedMediaType(&'static str),
    /// The body has more than this number of bytes.
    BodyTooLarge(usize),
    /// The route needs a token, and there is no valid one.
    Unauthorized,
    /// The token does not allow this.
    Forbidden,
    /// The signature of a webhook is missing or invalid. The answer does not say why.
    NotSigned,
    /// There is no such route, or this Lambda does not serve it.
    RouteNotFound,
    /// The path has only these methods.
    MethodNotAllowed(Vec<&'static str>),
}

/// A member's name in a pointer is cut after this number of characters. Our names are shorter, and a body may consist of one name.
const MAX_NAME_CHARS: usize = 64;

/// The maximum number of faults in an answer. A body may have thousands of small unknown members, and the answer would be ten times
/// as long as the body.
pub(super) const MAX_FAULTS: usize = 20;

/// A fault of one part of a request.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// The predicate of a sentence: "must be an integer from 1 to 1000".
    detail: String,
    /// A JSON pointer into the body, or the name of a parameter or header.
    pointer: String,
}

impl Fault {
    /// A fault of a member of the body.
    pub(crate) fn member(name: &str, detail: impl ToString) -> Self {
        // RFC 6901: the two characters with a meaning in a pointer.
        let name = cut(name).replace('~', "~0").replace('/', "~1");
        Self { detail: detail.to_string(), pointer: format!("/{name}") }
    }

    /// A fault of a query parameter or header.
    pub(crate) fn parameter(name: &str, invalid: &Invalid) -> Self {
        // A pointer must not be empty, and a parameter may have an empty name.
        let pointer = if name.is_empty() { "?".into() } else { cut(name) };
        Self { detail: invalid.to_string(), pointer }
    }
}

/// The name, cut if it is too long.
fn cut(name: &str) -> String {
    match name.char_indices().nth(MAX_NAME_CHARS) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}

/// A problem's status, the end of its type, and its title.
type Kind = (StatusCode, &'static str, &'static str);

impl Problem {
    fn kind(&self) -> Kind {
        const VALIDATION: Kind = (StatusCode::UNPROCESSABLE_ENTITY, "validation-failed", "The request body is invalid");
        match self {
            Self::Refused(error) => match error {
                Error::ShowNotFound => (StatusCode::NOT_FOUND, "show-not-found", "Show not found"),
                Error::BookingNotFound => (StatusCode::NOT_FOUND, "booking-not-found", "Booking not found"),
                Error::SoldOut { .. } => (StatusCode::CONFLICT, "sold-out", "Not enough seats"),
                Error::ShowStarted => (StatusCode::CONFLICT, "show-started", "The show has started"),
                Error::ShowInPast | Error::TooManySeats { .. } => VALIDATION,
                Error::PendingLimit { .. } => (StatusCode::CONFLICT, "pending-limit", "Too many unpaid seats"),
                Error::HolderLimit { .. } => (StatusCode::CONFLICT, "holder-limit", "Too many seats"),
                Error::HolderWaits { .. } => (StatusCode::TOO_MANY_REQUESTS, "holder-waits", "Too many unpaid holds"),
                Error::HolderBusy => (StatusCode::TOO_MANY_REQUESTS, "too-many-requests", "Too many requests"),
                Error::IdempotencyKeyReused => {
                    (StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused", "Idempotency key reused")
                }
                Error::BookingExpired => (StatusCode::CONFLICT, "booking-expired", "The hold has expired"),
                Error::BookingCancelled => (StatusCode::CONFLICT, "booking-cancelled", "The booking was cancelled"),
                Error::BookingConfirmed => (StatusCode::CONFLICT, "booking-confirmed", "The booking is confirmed"),
                Error::BookingRefunded => (StatusCode::CONFLICT, "booking-refunded", "The booking was refunded"),
                Error::PaymentNotFound => (StatusCode::NOT_FOUND, "payment-not-found", "Payment not found"),
                Error::PaymentNotDue => (StatusCode::CONFLICT, "payment-not-due", "No refund is due"),
                Error::DisputeNotLost => (StatusCode::CONFLICT, "dispute-not-lost", "No lost dispute to decide"),
                Error::EventNotFound => (StatusCode::NOT_FOUND, "event-not-found", "Event not found"),
                Error::EventUnreadable { .. } => (StatusCode::CONFLICT, "event-unreadable", "The event cannot be read"),
                Error::EventIgnored => {
                    (StatusCode::CONFLICT, "event-ignored", "The event belongs to another deployment")
                }
                Error::Busy(_) => (StatusCode::SERVICE_UNAVAILABLE, "busy", "Too busy"),
                Error::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Unavailable"),
                Error::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error"),
            },
            Self::InvalidBody(_) => VALIDATION,
            Self::InvalidRequest(_) => (StatusCode::BAD_REQUEST, "malformed-request", "The request is invalid"),
            Self::MalformedJson(_) => (StatusCode::BAD_REQUEST, "malformed-json", "The body is not a JSON object"),
            Self::UnsupportedMediaType(_) => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "Unsupported media type")
            }
            Self::BodyTooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "The body is too large"),
            Self::Unauthorized | Self::NotSigned => (StatusCode::UNAUTHORIZED, "unauthorized", "Unauthorized"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden", "Forbidden"),
            Self::RouteNotFound => (StatusCode::NOT_FOUND, "route-not-found", "Not found"),
            Self::MethodNotAllowed(_) => (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed"),
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Refused(error) => error.to_string(),
            Self::InvalidBody(_) => "Some members of the body are missing, invalid or unknown.".into(),
            Self::InvalidRequest(_) => "Some parameters or headers are invalid.".into(),
            Self::MalformedJson(detail) => detail.clone(),
            Self::UnsupportedMediaType(detail) => (*detail).into(),
            Self::BodyTooLarge(limit) => format!("The body may have at most {limit} bytes."),
            Self::Unauthorized => "The call needs a valid access token.".into(),
            Self::Forbidden => "The access token does not allow this call.".into(),
            Self::NotSigned => "The signature of the request is missing or invalid.".into(),
            Self::RouteNotFound => "There is nothing at this path.".into(),
            Self::MethodNotAllowed(methods) => format!("The methods of this path are {}.", methods.join(", ")),
        }
    }

    fn faults(&self) -> Option<Vec<Fault>> {
        match self {
            Self::InvalidBody(faults) | Self::InvalidRequest(faults) => {
                Some(faults.iter().map(|f| Fault { detail: f.detail.clone(), pointer: f.pointer.clone() }).collect())
            }
            Self::Refused(error @ Error::TooManySeats { .. }) => Some(vec![Fault::member("seats", error)]),
            Self::Refused(error @ Error::ShowInPast) => Some(vec![Fault::member("start_time", error)]),
            _ => None,
        }
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        self.kind().0
    }

    /// The seconds after which the same request may succeed.
    pub(crate) fn retry_after(&self) -> Option<u32> {
        match self {
            Self::Refused(Error::HolderWaits { seconds, .. }) => Some(*seconds),
            // A lock is free a moment later. A database needs a little longer to come back.
            Self::Refused(Error::Busy(_) | Error::HolderBusy) => Some(1),
            Self::Refused(Error::Unavailable(_)) => Some(2),
            _ => None,
        }
    }

    /// The problem document.
    pub fn document(&self) -> Value {
        let (status, name, title) = self.kind();
        let mut document = json!({
            "type": format!("{TYPES}{name}"),
            "title": title,
            "status": status.as_u16(),
            "detail": self.detail(),
        });
        if let Some(faults) = self.faults() {
            let errors = faults.into_iter().map(|f| json!({"detail": f.detail, "pointer": f.pointer}));
            document["errors"] = errors.collect();
        }
        match self {
            Self::Refused(Error::SoldOut { available }) => document["available_seats"] = json!(available),
            Self::Refused(Error::PendingLimit { held, max } | Error::HolderLimit { held, max }) => {
                document["held_seats"] = json!(held);
                document["max_seats"] = json!(max);
            }
            _ => {}
        }
        document
    }

    /// Whether it is a temporary error of ours.
    pub(crate) fn is_unavailable(&self) -> bool {
        self.status() == StatusCode::SERVICE_UNAVAILABLE
    }

    /// Logs what the client is not told.
    pub(crate) fn log(&self) {
        match self {
            Self::Refused(error @ (Error::Busy(_) | Error::Unavailable(_))) => {
                tracing::warn!(cause = ?error.source(), "answered 503: {error}");
            }
            Self::Refused(error @ Error::Internal(_)) => {
                tracing::error!(cause = ?error.source(), "answered 500");
            }
            // Without the detail, which may repeat what the client sent.
            _ => {
                let (status, problem, _) = self.kind();
                tracing::debug!(status = status.as_u16(), problem, "refused a request");
            }
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_internal_error_shows_no_internals() {
        let problem = Problem::from(Error::Internal("relation \"bookings\" does not exist".into()));
        assert_eq!(problem.status(), 500);
        assert!(!problem.document().to_string().contains("bookings"), "{}", problem.document());
    }

    #[test]
    fn sold_out_has_the_number_of_free_seats() {
        let document = Problem::from(Error::SoldOut { available: 3 }).document();
        assert_eq!(document["status"], 409);
        assert_eq!(document["available_seats"], 3);
    }

    #[test]
    fn a_busy_holder_may_retry_after_a_second() {
        let problem = Problem::from(Error::HolderBusy);
        assert_eq!((problem.status().as_u16(), problem.retry_after()), (429, Some(1)));
        assert_eq!(problem.document()["type"], "https://boxoffice.example/problems/too-many-requests");
    }

    #[test]
    fn a_pointer_is_escaped() {
        assert_eq!(Fault::member("a/b~c", "is unknown").pointer, "/a~1b~0c");
    }
}
