//! The caller, as the gateway's authorizer identified them, and whether they may make the call.

use boxoffice_shared::holders::{Holder, Subject};
use jiff::Timestamp;

use super::{Problem, Request};
use crate::{
    access::{Access, LEEWAY, Scope, Scopes},
    routes::Route,
};

/// The value of `WWW-Authenticate` for a client without a valid token.
pub(crate) const CHALLENGE: &str = "Bearer";

/// The caller: the subject of a token that the authorizer verified, or anybody.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    subject: Option<Subject>,
    scopes: Scopes,
}

impl Caller {
    /// The caller of this request, if they may call this route.
    ///
    /// The gateway has called the authorizer before. This is a second check, for a route that has no authorizer by mistake, and
    /// for a token that expired while the gateway cached its policy. It reads only what the gateway adds, which a client cannot
    /// change.
    ///
    /// # Errors
    /// The route needs a token and there is none, or it has expired, or it does not have the route's scope.
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

    /// The holder of a booking that this call makes: the token's subject, else the API key, else the IP address that the gateway
    /// saw.
    ///
    /// # Errors
    /// There is no address, so the request did not come from the gateway.
    pub(crate) fn holder(&self, request: &Request) -> Result<Holder, Problem> {
        if let Some(subject) = &self.subject {
            return Ok(Holder::of_subject(subject));
        }
        // The gateway checks a key, and passes its id on, only for routes that require one.
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
        // In whole seconds and with the authorizer's leeway, so that a token that it accepted is not refused here.
        if expires.is_none_or(|at| at.as_second().saturating_add(LEEWAY.as_secs() as i64) < now.as_second()) {
            return Err(Problem::Unauthorized);
        }
        Ok(Self { subject: Some(subject), scopes: Scopes::read(request.told("scope").unwrap_or_default()) })
    }
}
