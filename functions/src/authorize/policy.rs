//! What API Gateway is told: the policy that lists the routes, and what the functions are told of the caller.
//!
//! It keeps a policy for some minutes and takes it for every route that the same token calls: so it lists all that the
//! token allows, and not only what was asked for.

use serde::Serialize;

use super::token::Principal;
use crate::{
    access::{Access, Scopes},
    routes::{ROUTES, Route},
};

/// The answer to an authorizer's event.
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

/// What the functions find in `requestContext.authorizer`: text, for API Gateway hands nothing else on.
#[derive(Debug, Serialize)]
struct Context {
    sub: String,
    scope: String,
    exp: String,
}

impl Answer {
    /// For this caller, or for anybody. `stage` is the part of a method's ARN that names the API and its stage.
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

/// The API and its stage in a method's ARN: `arn:aws:execute-api:region:account:api/stage/METHOD/path`. `None` if it is
/// no such ARN.
pub(super) fn stage(method_arn: &str) -> Option<&str> {
    let (api, rest) = method_arn.split_once('/')?;
    let (stage, _) = rest.split_once('/')?;
    let named = api.split(':').nth(2) == Some("execute-api") && !api.ends_with(':') && !stage.is_empty();
    // A star here would be a pattern for other APIs.
    let exact = !api.contains(['*', '?']) && !stage.contains(['*', '?']);
    (named && exact).then(|| &method_arn[..api.len() + 1 + stage.len()])
}

/// The routes that these scopes open, and those that are open to anybody.
fn allowed(scopes: Scopes) -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().filter(move |route| match route.access {
        Access::Public | Access::Webhook | Access::PartnerKey => false,
        Access::OptionalToken => true,
        Access::Needs(scope) => scopes.contains(scope),
    })
}

/// The route in a policy: `POST/shows/*/bookings`, and `HEAD` where there is `GET`. A star stands for any characters, slashes
/// too; the tests show that no pattern is also another route's.
fn patterns(route: &Route) -> impl Iterator<Item = String> {
    let segments = route.path.split('/').map(|segment| if segment.starts_with('{') { "*" } else { segment });
    let path = segments.collect::<Vec<_>>().join("/");
    route.methods().map(move |method| format!("{method}{path}"))
}

#[cfg(test)]
mod tests;
