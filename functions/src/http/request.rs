//! What a request asks for: its route, ids, parameters and headers.

use std::str::FromStr;

use boxoffice_shared::{
    Error, Invalid,
    bookings::BookingId,
    holders::{Holder, IdempotencyKey, Subject},
    page::{PageLimit, Position},
    payments::{EventCursor, EventId, PaymentCursor, PaymentId, PaymentState, Provider},
    privacy::SubjectCursor,
    shows::{ShowCursor, ShowId},
};
use jiff::Timestamp;

use super::{
    Problem, Request,
    caller::{Caller, found, route},
    problem::{Fault, MAX_FAULTS},
};
use crate::access::Query;

/// A request as a handler sees it: of somebody who may make it.
#[derive(Debug)]
pub struct Call<'a> {
    request: &'a Request,
    caller: Caller,
}

impl<'a> Call<'a> {
    /// The view of this request, if its caller may make it now.
    ///
    /// # Errors
    /// Those of `Caller::admit`; a query of a route that takes none.
    pub fn admit(request: &'a Request, now: Timestamp) -> Result<Self, Problem> {
        let call = Self { request, caller: Caller::admit(request, now)? };
        match found(request)?.query {
            // Where there are parameters, their reader tells of all faults at once.
            Query::Only(&[]) => finish(Some(call), unknown(request)),
            Query::Only(_) | Query::Any => Ok(call),
        }
    }

    /// Who makes it.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Whose a booking is that it makes.
    pub fn holder(&self) -> Result<Holder, Problem> {
        self.caller.holder(self.request)
    }

    /// The method and the route as the template names it: `("GET", "/shows/{show_id}")`.
    pub fn route(&self) -> (&str, &str) {
        route(self.request)
    }

    /// The show in the path. What cannot be an id is no show's: 404, as any id that is not there.
    pub fn show_id(&self) -> Result<ShowId, Problem> {
        self.path("show_id").ok_or(Problem::Refused(Error::ShowNotFound))
    }

    /// The booking in the path. What cannot be an id is no booking's: 404.
    pub fn booking_id(&self) -> Result<BookingId, Problem> {
        self.path("booking_id").ok_or(Problem::Refused(Error::BookingNotFound))
    }

    /// The payments that the path may mean, the likeliest first. What cannot be an id is no payment's: 404.
    pub fn payment(&self) -> Result<(Provider, Vec<PaymentId>), Problem> {
        self.of_provider("payment_id", PaymentId::of_path).ok_or(Problem::Refused(Error::PaymentNotFound))
    }

    /// The events that the path may mean, the likeliest first. What cannot be an id is no event's: 404.
    pub fn event(&self) -> Result<(Provider, Vec<EventId>), Problem> {
        self.of_provider("event_id", EventId::of_path).ok_or(Problem::Refused(Error::EventNotFound))
    }

    /// The query of a list: how many, and after what.
    pub fn page(&self) -> Result<(PageLimit, Option<ShowCursor>), Problem> {
        let mut faults = unknown(self.request);
        let (limit, cursor) = self.limit_and_cursor("", &mut faults);
        finish(Some((limit, cursor)), faults)
    }

    /// The query of a list of payments: in which state (those whose refund is due, unless it says so), how many, and
    /// after what.
    pub fn payment_page(&self) -> Result<(PaymentState, PageLimit, Option<PaymentCursor>), Problem> {
        let mut faults = unknown(self.request);
        let state = self.query("state", &mut faults).unwrap_or(PaymentState::RefundDue);
        let (limit, cursor) = self.limit_and_cursor(state.as_str(), &mut faults);
        finish(Some((state, limit, cursor)), faults)
    }

    /// The query of a list of events: those that were not understood, the only ones that are listed; how many, and after
    /// what.
    pub fn event_page(&self) -> Result<(PageLimit, Option<EventCursor>), Problem> {
        let mut faults = unknown(self.request);
        let _: Option<Unreadable> = self.query("change", &mut faults);
        let (limit, cursor) = self.limit_and_cursor("unreadable", &mut faults);
        finish(Some((limit, cursor)), faults)
    }

    /// The query that is about one subject.
    pub fn about_subject(&self) -> Result<Subject, Problem> {
        let mut faults = unknown(self.request);
        let subject = self.required_query("subject", &mut faults);
        finish(subject, faults)
    }

    /// The query of a list of what is kept about a subject: whose, how many, and after what.
    pub fn subject_page(&self) -> Result<(Subject, PageLimit, Option<SubjectCursor>), Problem> {
        let mut faults = unknown(self.request);
        let subject = self.required_query("subject", &mut faults);
        let filter = subject.as_ref().map_or("", Subject::as_str);
        let (limit, cursor) = self.limit_and_cursor(filter, &mut faults);
        finish(subject.map(|subject| (subject, limit, cursor)), faults)
    }

    /// The `Idempotency-Key`, if there is one. Of several, the last counts: API Gateway's own rule for `headers`.
    pub fn idempotency_key(&self) -> Result<Option<IdempotencyKey>, Problem> {
        const NAME: &str = "Idempotency-Key";
        let Some(value) = self.request.headers(NAME).pop() else { return Ok(None) };
        let key = IdempotencyKey::try_from(value);
        key.map(Some).map_err(|invalid| Problem::InvalidRequest(vec![Fault::parameter(NAME, &invalid)]))
    }

    /// Where something is that this call made, as its `Location` says it: `../../bookings/7-...`. It is a reference relative to
    /// the request's own URL (RFC 9110), so whatever stands there before the API's path stays: the stage of `execute-api`,
    /// the base path of a custom domain, a proxy's prefix. No function has to know which.
    pub fn location(&self, path: &str) -> String {
        let depth = self.route().1.split('/').filter(|part| !part.is_empty()).count();
        let mut met = 0;
        // The segments that the route stands for, from the last one; those that are empty count for a client and not here.
        let segments = self.request.path().rsplit('/').take_while(|part| {
            let more = met < depth;
            met += usize::from(!part.is_empty());
            more
        });
        // The last segment is where a relative reference begins.
        format!("{}{}", "../".repeat(segments.count().saturating_sub(1)), path.trim_start_matches('/'))
    }

    /// The request itself, for its body.
    pub fn request(&self) -> &'a Request {
        self.request
    }

    fn path<T: FromStr>(&self, name: &str) -> Option<T> {
        self.request.path_parameter(name)?.parse().ok()
    }

    /// The provider in the path, and what this id of its own may mean.
    fn of_provider<T>(&self, name: &str, ids: impl Fn(&str) -> Vec<T>) -> Option<(Provider, Vec<T>)> {
        let provider = Provider::try_from(self.request.path_parameter("provider")?).ok()?;
        Some((provider, ids(self.request.path_parameter(name)?)))
    }

    fn required_query<T: FromStr<Err = Invalid>>(&self, name: &str, faults: &mut Vec<Fault>) -> Option<T> {
        let before = faults.len();
        let value = self.query(name, faults);
        if value.is_none() && faults.len() == before {
            faults.push(Fault::parameter(name, &Invalid::new("is required")));
        }
        value
    }

    /// How many, and after what, of the list of what this filter lets through.
    fn limit_and_cursor<P: Position>(&self, filter: &str, faults: &mut Vec<Fault>) -> (PageLimit, Option<P>) {
        let limit = self.query("limit", faults).unwrap_or(PageLimit::DEFAULT);
        (limit, self.query_by("cursor", |text| P::read(text, filter), faults))
    }

    fn query<T: FromStr<Err = Invalid>>(&self, name: &str, faults: &mut Vec<Fault>) -> Option<T> {
        self.query_by(name, str::parse, faults)
    }

    fn query_by<T>(
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

/// The word `unreadable`.
struct Unreadable;

impl FromStr for Unreadable {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text == "unreadable" { Ok(Self) } else { Err(Invalid::new("must be unreadable")) }
    }
}

/// The faults of query parameters that the route does not take. Their case matters.
fn unknown(request: &Request) -> Vec<Fault> {
    let Ok(Query::Only(known)) = found(request).map(|route| route.query) else { return Vec::new() };
    let names = request.query_names().filter(|name| !known.contains(name)).take(MAX_FAULTS);
    names.map(|name| Fault::parameter(name, &Invalid::new("is not known"))).collect()
}

/// What was read from a query, unless something was wrong with it.
fn finish<T>(input: Option<T>, faults: Vec<Fault>) -> Result<T, Problem> {
    match input {
        Some(input) if faults.is_empty() => Ok(input),
        _ => Err(Problem::InvalidRequest(faults)),
    }
}
