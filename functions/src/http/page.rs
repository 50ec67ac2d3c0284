//! Lists, a page at a time: what a call asks for, and the answer.

use std::str::FromStr;

use boxoffice_shared::{
    Invalid,
    holders::Subject,
    page::{Page, PageLimit, Position},
    payments::{EventCursor, PaymentCursor, PaymentState},
    privacy::SubjectCursor,
    shows::ShowCursor,
};
use serde::Serialize;
use serde_json::json;

use super::{Call, Problem, Reply, problem::Fault, request::finish};

/// What a list has only some things by. A cursor is good for its own list and filter only.
pub trait Filter {
    /// Its text, which tells it from the list's other filters.
    fn as_str(&self) -> &str;
}

/// A list without a filter.
impl Filter for () {
    fn as_str(&self) -> &str {
        ""
    }
}

impl Filter for PaymentState {
    fn as_str(&self) -> &str {
        Self::as_str(*self)
    }
}

impl Filter for Subject {
    fn as_str(&self) -> &str {
        self.as_str()
    }
}

/// The events that were not understood: the only ones that are listed.
#[derive(Clone, Copy, Debug)]
pub struct Unreadable;

impl Filter for Unreadable {
    fn as_str(&self) -> &str {
        "unreadable"
    }
}

impl FromStr for Unreadable {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text == Self.as_str() { Ok(Self) } else { Err(Invalid::new("must be unreadable")) }
    }
}

/// What a call of a list asks for: of which filter, how many, and after what.
pub type Wanted<F, P> = (F, PageLimit, Option<P>);

impl Call<'_> {
    /// The query of the list of shows.
    pub fn show_page(&self) -> Result<Wanted<(), ShowCursor>, Problem> {
        self.page_of(|_| Some(()))
    }

    /// The query of the list of payments: by default of those whose refund is due.
    pub fn payment_page(&self) -> Result<Wanted<PaymentState, PaymentCursor>, Problem> {
        self.page_of(|faults| Some(self.query("state", faults).unwrap_or(PaymentState::RefundDue)))
    }

    /// The query of the list of events.
    pub fn event_page(&self) -> Result<Wanted<Unreadable, EventCursor>, Problem> {
        self.page_of(|faults| Some(self.query("change", faults).unwrap_or(Unreadable)))
    }

    /// The query of the list of what is kept about a subject.
    pub fn subject_page(&self) -> Result<Wanted<Subject, SubjectCursor>, Problem> {
        self.page_of(|faults| self.required_query("subject", faults))
    }

    fn page_of<F: Filter, P: Position>(
        &self,
        filter: impl FnOnce(&mut Vec<Fault>) -> Option<F>,
    ) -> Result<Wanted<F, P>, Problem> {
        let mut faults = self.unknown();
        let filter = filter(&mut faults);
        let limit = self.query("limit", &mut faults).unwrap_or(PageLimit::DEFAULT);
        let text = filter.as_ref().map_or("", F::as_str);
        let after = self.query_by("cursor", |cursor| P::read(cursor, text), &mut faults);
        finish(filter.map(|filter| (filter, limit, after)), faults)
    }
}

impl Reply {
    /// 200 with a page of a list: `{<name>: [...], next_cursor}`.
    pub fn page(name: &str, page: &Page<impl Serialize, impl Position>, filter: &impl Filter) -> Self {
        let next_cursor = page.next.as_ref().map(|last| last.cursor(filter.as_str()));
        Self::ok(&json!({ name: page.items, "next_cursor": next_cursor }))
    }
}
