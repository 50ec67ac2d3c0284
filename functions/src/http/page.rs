//! Pages of lists: the query and the answer.

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

/// A filter of a list. A cursor works only with the filter that it was made with.
pub trait Filter {
    /// The text that tells this filter from others of the same list.
    fn as_str(&self) -> &str;
}

/// For a list without a filter.
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

/// The events that could not be read, which are the only ones that are listed.
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

/// The page that a call asks for: its filter, its size, and where it starts.
pub type Wanted<F, P> = (F, PageLimit, Option<P>);

impl Call<'_> {
    /// The query for a page of shows.
    pub fn show_page(&self) -> Result<Wanted<(), ShowCursor>, Problem> {
        self.page_of(|_| Some(()))
    }

    /// The query for a page of payments, by default of those that must be refunded.
    pub fn payment_page(&self) -> Result<Wanted<PaymentState, PaymentCursor>, Problem> {
        self.page_of(|faults| Some(self.query("state", faults).unwrap_or(PaymentState::RefundDue)))
    }

    /// The query for a page of events.
    pub fn event_page(&self) -> Result<Wanted<Unreadable, EventCursor>, Problem> {
        self.page_of(|faults| Some(self.query("change", faults).unwrap_or(Unreadable)))
    }

    /// The query for a page of a subject's data.
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
    /// 200 with a page: `{<name>: [...], next_cursor}`.
    pub fn page(name: &str, page: &Page<impl Serialize, impl Position>, filter: &impl Filter) -> Self {
        let next_cursor = page.next.as_ref().map(|last| last.cursor(filter.as_str()));
        Self::ok(&json!({ name: page.items, "next_cursor": next_cursor }))
    }
}
