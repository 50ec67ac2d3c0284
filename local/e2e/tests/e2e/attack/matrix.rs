//! Every route with every kind of token.

use std::sync::Arc;

use boxoffice_e2e::token::mint;
use boxoffice_functions::{
    access::{Access, Scope},
    routes::{Operation, ROUTES, Route},
};

use super::{scene::Scene, tokens::bad, with_each};

/// The expected status for a caller with a valid token that does not allow this call, or without a token.
fn expected(route: &Route, has_token: bool) -> u16 {
    match route.access {
        Access::Needs(_) => {
            if has_token {
                403
            } else {
                401
            }
        }
        // Everybody may book. The victim's booking looks like a missing one.
        Access::OptionalToken if route.operation == Operation::BookSeats => 201,
        Access::OptionalToken => 404,
        Access::PartnerKey => 403,
        Access::Webhook => 401,
        Access::Public => 200,
    }
}

/// All scopes but the required one, and never `bookings:read`, which allows reading the victim's booking.
fn other_scopes(route: &Route) -> String {
    let needed = match route.access {
        Access::Needs(scope) => scope,
        _ => Scope::BookingsRead,
    };
    let others: Vec<_> = Scope::ALL.into_iter().filter(|scope| *scope != needed).map(Scope::as_str).collect();
    others.join(" ")
}

/// An invalid token gets 401 on routes that read tokens. Other routes ignore it.
async fn with_bad_tokens(scene: Arc<Scene>, route: &'static Route) {
    let all = Scope::ALL.map(Scope::as_str).join(" ");
    let takes_token = matches!(route.access, Access::OptionalToken | Access::Needs(_));
    // Four tokens are enough for routes that ignore tokens.
    let some = if takes_token { usize::MAX } else { 4 };
    for (what, token) in bad(&all).into_iter().take(some) {
        let status = if takes_token { 401 } else { expected(route, true) };
        let answer = scene.expect(what, route, scene.call(route).token(&token), status).await;
        if takes_token {
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{what}");
        }
    }
}

/// Another user's token, other scopes or no token give no access.
async fn by_strangers(scene: Arc<Scene>, route: &'static Route) {
    let call = || scene.call(route);
    scene.expect("no token", route, call(), expected(route, false)).await;
    let others = other_scopes(route);
    for (what, subject, scope) in [
        ("another user's token", "eve", ""),
        ("the token of somebody with nearly the victim's name", &*format!("{} ", scene.victim), ""),
        ("wrong scopes", "eve", &*others),
        ("words that look like scopes", "eve", "shows:* bookings payments:readx SHOWS:WRITE *"),
    ] {
        scene.expect(what, route, call().token(&mint(subject, scope)), expected(route, true)).await;
    }
}

#[tokio::test]
async fn every_route_allows_only_the_credentials_that_it_documents() {
    let scene = Arc::new(Scene::new().await);
    let (state, bookings) = (scene.state().await, scene.bookings().await);
    with_each(ROUTES.iter(), |route| with_bad_tokens(Arc::clone(&scene), route)).await;
    assert_eq!(scene.bookings().await, bookings);
    with_each(ROUTES.iter(), |route| by_strangers(Arc::clone(&scene), route)).await;
    assert_eq!(scene.state().await, state);
    // The same calls succeed with the right credentials, so the refusals were about the credentials.
    for route in ROUTES {
        let answer = scene.api.send(scene.rightful(route)).await;
        let done = match route.operation {
            // The scene's event is unreadable, and its payment has no lost dispute.
            Operation::ReplayEvent => answer.slug() == Some("event-unreadable"),
            Operation::DecideDispute => answer.slug() == Some("dispute-not-lost"),
            _ => matches!(answer.status(), 200 | 201),
        };
        assert!(done, "{} {}: {} {}", route.method, route.path, answer.status(), answer.body);
    }
    assert_ne!(scene.state().await, state);
}
