//! The parts of a request: its operation, ids, parameters and headers.

use std::str::FromStr;

use boxoffice_shared::{
    Error, Invalid,
    bookings::BookingId,
    holders::{Holder, IdempotencyKey, Subject},
    payments::{EventId, PaymentId, Provider},
    shows::ShowId,
};
use jiff::Timestamp;

use super::{
    Problem, Request,
    caller::Caller,
    problem::{Fault, MAX_FAULTS},
};
use crate::routes::{self, Operation, Query, Route};

/// A request as a handler sees it, after its caller was admitted.
#[derive(Debug)]
pub struct Call<'a> {
    request: &'a Request,
    route: &'static Route,
    caller: Caller,
}

impl<'a> Call<'a> {
    /// Admits a request, if its caller may make it now.
    ///
    /// # Errors
    /// There is no such route, or the path has other methods; those of `Caller::admit`; unknown query parameters.
    pub fn admit(request: &'a Request, now: Timestamp) -> Result<Self, Problem> {
        let route = routes::find(request.method(), request.resource()).ok_or_else(|| {
            match routes::methods(request.resource()) {
                methods if methods.is_empty() => Problem::RouteNotFound,
                methods => Problem::MethodNotAllowed(methods),
            }
        })?;
        let call = Self { request, route, caller: Caller::admit(route, request, now)? };
        match route.query() {
            // A route with parameters reports unknown ones together with its other faults.
            Query::Only(&[]) => {
                let faults = call.unknown();
                finish(Some(call), faults)
            }
            Query::Only(_) | Query::Any => Ok(call),
        }
    }

    /// The operation that it asks for.
    pub fn operation(&self) -> Operation {
        self.route.operation
    }

    /// The caller.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The holder of a booking that it makes.
    pub fn holder(&self) -> Result<Holder, Problem> {
        self.caller.holder(self.request)
    }

    /// The show in the path. A text that cannot be an id is 404, as an id that does not exist.
    pub fn show_id(&self) -> Result<ShowId, Problem> {
        self.path("show_id").ok_or(Problem::Refused(Error::ShowNotFound))
    }

    /// The booking in the path. A text that cannot be an id is 404.
    pub fn booking_id(&self) -> Result<BookingId, Problem> {
        self.path("booking_id").ok_or(Problem::Refused(Error::BookingNotFound))
    }

    /// The ids of the payment that the path may stand for, the likeliest first. A text that cannot be an id is 404.
    pub fn payment(&self) -> Result<(Provider, Vec<PaymentId>), Problem> {
        self.of_provider("payment_id", PaymentId::of_path).ok_or(Problem::Refused(Error::PaymentNotFound))
    }

    /// The ids of the event that the path may stand for, the likeliest first. A text that cannot be an id is 404.
    pub fn event(&self) -> Result<(Provider, Vec<EventId>), Problem> {
        self.of_provider("event_id", EventId::of_path).ok_or(Problem::Refused(Error::EventNotFound))
    }

    /// The subject in the query.
    pub fn about_subject(&self) -> Result<Subject, Problem> {
        let mut faults = self.unknown();
        let subject = self.required_query("subject", &mut faults);
        finish(subject, faults)
    }

    /// The `Idempotency-Key`, if there is one. Of several the last counts, as in API Gateway's `headers`.
    pub fn idempotency_key(&self) -> Result<Option<IdempotencyKey>, Problem> {
        const NAME: &str = "Idempotency-Key";
        let Some(value) = self.request.headers(NAME).pop() else { return Ok(None) };
        let key = IdempotencyKey::try_from(value);
        key.map(Some).map_err(|invalid| Problem::InvalidRequest(vec![Fault::parameter(NAME, &invalid)]))
    }

    /// The `Location` of something that this call created, such as `../../bookings/7-...`. It is relative to the request's URL (RFC
    /// 9110), so it works behind any stage, base path of a custom domain, or proxy.
    pub fn location(&self, path: &str) -> String {
        let depth = self.route.path.split('/').filter(|part| !part.is_empty()).count();
        let mut met = 0;
        // The segments of the route, from the last one. Empty segments are part of the client's URL, but not of the route.
        let segments = self.request.path().rsplit('/').take_while(|part| {
            let more = met < depth;
            met += usize::from(!part.is_empty());
            more
        });
        // A relative reference starts at the last segment.
        format!("{}{}", "../".repeat(segments.count().saturating_sub(1)), path.trim_start_matches('/'))
    }

    /// The request, for its body.
    pub fn request(&self) -> &'a Request {
        self.request
    }

    /// The faults of unknown query parameters. Names are case-sensitive.
    pub(super) fn unknown(&self) -> Vec<Fault> {
        let Query::Only(known) = self.route.query() else { return Vec::new() };
        let names = self.request.query_names().filter(|name| !known.contains(name)).take(MAX_FAULTS);
        names.map(|name| Fault::parameter(name, &Invalid::new("is unknown"))).collect()
    }

    fn path<T: FromStr>(&self, name: &str) -> Option<T> {
        self.request.path_parameter(name)?.parse().ok()
    }

    /// The provider in the path, and the ids that this parameter may stand for.
    fn of_provider<T>(&self, name: &str, ids: impl Fn(&str) -> Vec<T>) -> Option<(Provider, Vec<T>)> {
        let provider = Provider::try_from(self.request.path_parameter("provider")?).ok()?;
        Some((provider, ids(self.request.path_parameter(name)?)))
    }

    pub(super) fn required_query<T: FromStr<Err = Invalid>>(&self, name: &str, faults: &mut Vec<Fault>) -> Option<T> {
        let before = faults.len();
        let value = self.query(name, faults);
        if value.is_none() && faults.len() == before {
            faults.push(Fault::parameter(name, &Invalid::new("is required")));
        }
        value
    }

    pub(super) fn query<T: FromStr<Err = Invalid>>(&self, name: &str, faults: &mut Vec<Fault>) -> Option<T> {
        self.query_by(name, str::parse, faults)
    }

    pub(super) fn query_by<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, Invalid>,
        faults: &mut Vec<Fault>,
    ) -> Option<T> {
        let parsed = match self.request.query(name).as_slice() {
            [] => return None,
            [value] => parse(value),
            _ => Err(Invalid::new("must be given once")),
        };
        parsed.map_err(|invalid| faults.push(Fault::parameter(name, &invalid))).ok()
    }
}

/// The input, or the faults that were found.
pub(super) fn finish<T>(input: Option<T>, faults: Vec<Fault>) -> Result<T, Problem> {
    match input {
        Some(input) if faults.is_empty() => Ok(input),
        _ => Err(Problem::InvalidRequest(faults)),
    }
}
