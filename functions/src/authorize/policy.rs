//! The authorizer's answer: a policy with the routes that the caller may call, and the caller's identity for the functions.
//!
//! API Gateway caches a policy for some minutes and applies it to every call with the same token. So it lists all routes that the
//! token allows, not only the one of this call.

use serde::Serialize;

use super::token::Principal;
use crate::{
    access::{Access, Scopes},
    routes::{ROUTES, Route},
};

/// The answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer {
    principal_id: String,
    policy_document: Policy,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<Context>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Policy {
    version: &'static str,
    statement: [Statement; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    effect: &'static str,
    action: &'static str,
    resource: Vec<String>,
}

/// What the functions find in `requestContext.authorizer`. API Gateway passes on text only.
#[derive(Debug, Serialize)]
struct Context {
    sub: String,
    scope: String,
    exp: String,
}

impl Answer {
    /// The answer for this caller, or for a call without a token. `stage` is the part of a method's ARN that names API and stage.
    pub(super) fn new(caller: Option<Principal>, stage: &str) -> Self {
        let scopes = caller.as_ref().map_or_else(Scopes::default, |caller| caller.scopes);
        let resource = allowed(scopes).flat_map(patterns).map(|pattern| format!("{stage}/{pattern}")).collect();
        let statement = [Statement { effect: "Allow", action: "execute-api:Invoke", resource }];
        Self {
            principal_id: caller
                .as_ref()
                .map_or_else(|| "anonymous".to_owned(), |caller| caller.subject.as_str().to_owned()),
            policy_document: Policy { version: "2012-10-17", statement },
            context: caller.map(Context::of),
        }
    }
}

impl Context {
    fn of(caller: Principal) -> Self {
        Self {
            sub: caller.subject.as_str().to_owned(),
            scope: caller.scopes.to_string(),
            exp: caller.expires_at.to_string(),
        }
    }
}

/// The part of a method's ARN that names API and stage. The ARN is `arn:aws:execute-api:region:account:api/stage/METHOD/path`;
/// `None` if it is not.
pub(super) fn stage(method_arn: &str) -> Option<&str> {
    let (api, rest) = method_arn.split_once('/')?;
    let (stage, _) = rest.split_once('/')?;
    let named = api.split(':').nth(2) == Some("execute-api") && !api.ends_with(':') && !stage.is_empty();
    // A star here would be a pattern that matches other APIs.
    let exact = !api.contains(['*', '?']) && !stage.contains(['*', '?']);
    (named && exact).then(|| &method_arn[..api.len() + 1 + stage.len()])
}

/// The routes that these scopes allow, and those that need no token.
fn allowed(scopes: Scopes) -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().filter(move |route| match route.access {
        Access::Public | Access::Webhook | Access::PartnerKey => false,
        Access::OptionalToken => true,
        Access::Needs(scope) => scopes.contains(scope),
    })
}

/// The patterns of a route, such as `POST/shows/*/bookings`. A star matches any characters, also slashes. A test shows that no
/// pattern matches another route.
fn patterns(route: &Route) -> impl Iterator<Item = String> {
    let segments = route.path.split('/').map(|segment| if segment.starts_with('{') { "*" } else { segment });
    let path = segments.collect::<Vec<_>>().join("/");
    route.methods().map(move |method| format!("{method}{path}"))
}

#[cfg(test)]
mod tests;
