//! Who calls, as the gateway's authorizer found out, and whether they may.

use boxoffice_shared::holders::{Holder, Subject};
use jiff::Timestamp;

use super::{Problem, Request};
use crate::{
    access::{Access, LEEWAY, Scope, Scopes},
    routes::Route,
};

/// The header for a client that must show a token.
pub(crate) const CHALLENGE: &str = "Bearer";

/// Who calls: somebody with a token that the authorizer verified, or anybody.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    subject: Option<Subject>,
    scopes: Scopes,
}

impl Caller {
    /// The caller of this request, if they may call this route.
    ///
    /// The gateway has asked the authorizer before: this is the second lock, for a route that was given no authorizer by
    /// mistake, and for a token that expired while the gateway still remembered it as good. Nothing that a client sends
    /// can get into what it reads.
    ///
    /// # Errors
    /// The route needs a token and there is none, or the token has expired; it does not have the scope that the route needs.
    pub(super) fn admit(route: &Route, request: &Request, now: Timestamp) -> Result<Self, Problem> {
        match route.access {
            Access::Public | Access::Webhook | Access::PartnerKey => Ok(Self::default()),
            Access::OptionalToken => Self::read(request, now),
            Access::Needs(scope) => {
                let caller = Self::read(request, now)?;
                match caller.subject {
                    None => Err(Problem::Unauthorized),
                    Some(_) if caller.may(scope) => Ok(caller),
                    Some(_) => Err(Problem::Forbidden),
                }
            }
        }
    }

    /// The token's subject; `None` without a token.
    pub fn subject(&self) -> Option<&Subject> {
        self.subject.as_ref()
    }

    /// Whether the token has this scope.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(scope)
    }

    /// Who a booking that this call makes belongs to: the token's subject, else the partner behind the API key, else whoever
    /// is at the address that the gateway saw.
    ///
    /// # Errors
    /// The gateway did not say an address: not a request of the gateway's.
    pub(crate) fn holder(&self, request: &Request) -> Result<Holder, Problem> {
        if let Some(subject) = &self.subject {
            return Ok(Holder::of_subject(subject));
        }
        // Only where the route asks for a key does the gateway check it, and only then does it say its id.
        if let Some(holder) = request.api_key_id().and_then(|id| Holder::of_api_key(id).ok()) {
            return Ok(holder);
        }
        request.address().map(Holder::of_address).ok_or(Problem::Unauthorized)
    }

    fn read(request: &Request, now: Timestamp) -> Result<Self, Problem> {
        let Some(subject) = request.told("sub") else { return Ok(Self::default()) };
        let subject = Subject::try_from(subject).map_err(|_| Problem::Unauthorized)?;
        let expires =
            request.told("exp").and_then(|text| text.parse().ok()).and_then(|at| Timestamp::from_second(at).ok());
        // In whole seconds and with the authorizer's leeway: what it let in must not be refused here.
        if expires.is_none_or(|at| at.as_second().saturating_add(LEEWAY.as_secs() as i64) < now.as_second()) {
            return Err(Problem::Unauthorized);
        }
        Ok(Self { subject: Some(subject), scopes: Scopes::read(request.told("scope").unwrap_or_default()) })
    }
}
