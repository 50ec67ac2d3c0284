//! Who may call what: one table of all routes, for the authorizer's policies and for the handlers' own check.
//!
//! A test holds it to `template.yaml`: each route has a row, and the authorizer that its row asks for.

use std::{fmt, time::Duration};

/// How far the issuer's clock and ours may be apart: for so long after its end a token is still good, to the authorizer and to
/// the functions.
pub(crate) const LEEWAY: Duration = Duration::from_secs(30);

/// What a token may allow its bearer to do. Its text is what an issuer writes into a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// `shows:write`: put shows on sale, and change how they are sold.
    ShowsWrite,
    /// `bookings:read`: see bookings of any holder, and export a holder's.
    BookingsRead,
    /// `bookings:confirm`: confirm a booking without a payment.
    BookingsConfirm,
    /// `payments:read`: list payments.
    PaymentsRead,
    /// `payments:settle`: say that money that was due went back, and what becomes of a booking whose payment was disputed.
    PaymentsSettle,
    /// `subjects:erase`: erase who somebody was.
    SubjectsErase,
}

impl Scope {
    /// All there are.
    pub const ALL: [Self; 6] = [
        Self::ShowsWrite,
        Self::BookingsRead,
        Self::BookingsConfirm,
        Self::PaymentsRead,
        Self::PaymentsSettle,
        Self::SubjectsErase,
    ];

    /// Its text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ShowsWrite => "shows:write",
            Self::BookingsRead => "bookings:read",
            Self::BookingsConfirm => "bookings:confirm",
            Self::PaymentsRead => "payments:read",
            Self::PaymentsSettle => "payments:settle",
            Self::SubjectsErase => "subjects:erase",
        }
    }
}

/// A set of scopes. Its text is that of OAuth: each one's, with spaces between.
///
/// ```
/// use boxoffice_functions::access::{Scope, Scopes};
/// let scopes = Scopes::read("openid shows:write");
/// assert!(scopes.contains(Scope::ShowsWrite) && !scopes.contains(Scope::BookingsRead));
/// assert_eq!(scopes.to_string(), "shows:write");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes(u32);

// A set has a bit for each scope, and `ALL` has each scope at its bit's place.
const _: () = {
    assert!(Scope::ALL.len() <= u32::BITS as usize);
    let mut place = 0;
    while place < Scope::ALL.len() {
        assert!(Scope::ALL[place] as usize == place);
        place += 1;
    }
};

impl Scopes {
    /// Those of this text that we know. An issuer may give others for other APIs: they mean nothing here.
    pub fn read(text: &str) -> Self {
        text.split(' ').fold(Self::default(), |scopes, word| scopes.with(word))
    }

    /// With the scope of this text, if there is one.
    pub fn with(self, word: &str) -> Self {
        let known = Scope::ALL.into_iter().find(|scope| scope.as_str() == word);
        known.map_or(self, |scope| Self(self.0 | bit(scope)))
    }

    /// Whether this one is among them.
    pub fn contains(self, scope: Scope) -> bool {
        self.0 & bit(scope) != 0
    }
}

/// The scope's place in a set. One that had none would be in no set, and never pass for another.
fn bit(scope: Scope) -> u32 {
    1_u32.checked_shl(scope as u32).unwrap_or_default()
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = Scope::ALL.into_iter().filter(|scope| self.contains(*scope)).map(Scope::as_str).collect();
        f.write_str(&words.join(" "))
    }
}

/// What a call of a route needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing, and a token is not looked at: the gateway asks no authorizer. What guards it, if anything does, is not a
    /// token: a webhook's signature, a partner's API key.
    Public,
    /// No token; but one that is given must be good, and says whose call it is.
    Open,
    /// A token with this scope.
    Needs(Scope),
}

/// Which query parameters a route takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Query {
    /// These, and no others: a name that is misspelt must not read as "everything".
    Only(&'static [&'static str]),
    /// Any, and none is looked at: an endpoint's URL is the provider's to keep, and an event that is signed is not turned away
    /// for it.
    Any,
}

/// A route of the API.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// Its method.
    pub method: &'static str,
    /// Its path as the template names it: `/shows/{show_id}`.
    pub resource: &'static str,
    /// What a call of it needs.
    pub access: Access,
    /// What may stand behind the `?`.
    pub query: Query,
}

impl Route {
    /// With these query parameters, instead of none.
    const fn taking(self, names: &'static [&'static str]) -> Self {
        Self { query: Query::Only(names), ..self }
    }

    /// With whatever query parameters there are.
    const fn taking_any(self) -> Self {
        Self { query: Query::Any, ..self }
    }
}

const fn route(method: &'static str, resource: &'static str, access: Access) -> Route {
    Route { method, resource, access, query: Query::Only(&[]) }
}

/// All of them.
pub static ROUTES: [Route; 19] = [
    route("GET", "/shows", Access::Public).taking(&["limit", "cursor"]),
    route("GET", "/shows/{show_id}", Access::Public),
    route("POST", "/shows/{show_id}/bookings", Access::Open),
    route("GET", "/bookings/{booking_id}", Access::Open),
    route("DELETE", "/bookings/{booking_id}", Access::Open),
    route("POST", "/bookings/{booking_id}/extend", Access::Open),
    route("POST", "/bookings/{booking_id}/confirm", Access::Needs(Scope::BookingsConfirm)),
    route("POST", "/partner/shows/{show_id}/bookings", Access::Public),
    route("POST", "/webhooks/payments/stripe", Access::Public).taking_any(),
    route("POST", "/webhooks/payments/standard", Access::Public).taking_any(),
    route("POST", "/admin/shows", Access::Needs(Scope::ShowsWrite)),
    route("PATCH", "/admin/shows/{show_id}", Access::Needs(Scope::ShowsWrite)),
    route("GET", "/admin/payments", Access::Needs(Scope::PaymentsRead)).taking(&["state", "limit", "cursor"]),
    route("POST", "/admin/payments/{provider}/{payment_id}/settle", Access::Needs(Scope::PaymentsSettle)),
    route("POST", "/admin/payments/{provider}/{payment_id}/dispute", Access::Needs(Scope::PaymentsSettle)),
    route("GET", "/admin/payments/events", Access::Needs(Scope::PaymentsRead)).taking(&["change", "limit", "cursor"]),
    route("POST", "/admin/payments/events/{provider}/{event_id}/replay", Access::Needs(Scope::PaymentsSettle)),
    route("GET", "/admin/subjects/bookings", Access::Needs(Scope::BookingsRead))
        .taking(&["subject", "limit", "cursor"]),
    route("DELETE", "/admin/subjects/bookings", Access::Needs(Scope::SubjectsErase)).taking(&["subject"]),
];

/// The route of a method and a path, for `HEAD` that of `GET`; `None` if there is none, and then nobody may call it.
pub fn find(method: &str, resource: &str) -> Option<&'static Route> {
    let method = if method == "HEAD" { "GET" } else { method };
    ROUTES.iter().find(|route| (route.method, route.resource) == (method, resource))
}

/// What a call of this route needs; `None` if there is no such route.
pub fn access(method: &str, resource: &str) -> Option<Access> {
    find(method, resource).map(|route| route.access)
}

/// The methods of a path, as `Allow` says them; empty if there is no such path. `HEAD` goes wherever `GET` does.
pub fn methods(resource: &str) -> Vec<&'static str> {
    let methods = ROUTES.iter().filter(|route| route.resource == resource).map(|route| route.method);
    methods.flat_map(|method| if method == "GET" { vec!["GET", "HEAD"] } else { vec![method] }).collect()
}
