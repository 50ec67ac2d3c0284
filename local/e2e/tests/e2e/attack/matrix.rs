//! Every route with every kind of token.

use std::sync::Arc;

use boxoffice_e2e::{contract::Contract, token::mint};
use boxoffice_functions::access::{Access, ROUTES, Route, Scope};

use super::{scene::Scene, tokens::bad, with_each};

/// The routes of the table that the contract describes: all of them, which `functions/tests/access.rs` sees to.
fn routes() -> impl Iterator<Item = Route> {
    let described = Contract::get().routes();
    ROUTES.into_iter().filter(move |route| described.contains(&(route.method.to_owned(), route.resource.to_owned())))
}

/// What somebody is answered who comes with a good token that gives no right to this call, or without any.
fn expected(route: &Route, has_token: bool) -> u16 {
    match (route.access, route.resource) {
        (Access::Needs(_), _) => {
            if has_token {
                403
            } else {
                401
            }
        }
        // Anybody may book; and what is the victim's looks as if it were not there.
        (Access::Open, "/shows/{show_id}/bookings") => 201,
        (Access::Open, _) => 404,
        (Access::Public, "/partner/shows/{show_id}/bookings") => 403,
        (Access::Public, resource) if resource.starts_with("/webhooks/") => 401,
        (Access::Public, _) => 200,
    }
}

/// All scopes but the one that is needed. To read all bookings is a right to see the victim's.
fn other_scopes(route: &Route) -> String {
    let needed = match route.access {
        Access::Needs(scope) => scope,
        Access::Open | Access::Public => Scope::BookingsRead,
    };
    let others: Vec<_> = Scope::ALL.into_iter().filter(|scope| *scope != needed).map(Scope::as_str).collect();
    others.join(" ")
}

/// A token that is not good is refused wherever a token is looked at, and does no harm where it is not.
async fn with_bad_tokens(scene: Arc<Scene>, route: Route) {
    let all = Scope::ALL.map(Scope::as_str).join(" ");
    // Where no token is looked at, four of them will do.
    let some = if route.access == Access::Public { 4 } else { usize::MAX };
    for (what, token) in bad(&all).into_iter().take(some) {
        let status = if route.access == Access::Public { expected(&route, true) } else { 401 };
        let answer = scene.expect(what, &route, scene.call(&route).token(&token), status).await;
        if route.access != Access::Public {
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{what}");
        }
    }
}

/// Nor does a good one of somebody else, or with other scopes, or none.
async fn by_strangers(scene: Arc<Scene>, route: Route) {
    let call = || scene.call(&route);
    scene.expect("no token", &route, call(), expected(&route, false)).await;
    let others = other_scopes(&route);
    for (what, subject, scope) in [
        ("another user's token", "eve", ""),
        ("the token of somebody with nearly the victim's name", &*format!("{} ", scene.victim), ""),
        ("wrong scopes", "eve", &*others),
        ("words that look like scopes", "eve", "shows:* bookings payments:readx SHOWS:WRITE *"),
    ] {
        scene.expect(what, &route, call().token(&mint(subject, scope)), expected(&route, true)).await;
    }
}

#[tokio::test]
async fn every_route_with_every_token_does_what_its_row_says_and_nothing_else() {
    let scene = Arc::new(Scene::new().await);
    let (state, bookings) = (scene.state().await, scene.bookings().await);
    with_each(routes(), |route| with_bad_tokens(Arc::clone(&scene), route)).await;
    assert_eq!(scene.bookings().await, bookings);
    with_each(routes(), |route| by_strangers(Arc::clone(&scene), route)).await;
    assert_eq!(scene.state().await, state);
    // The same calls with the right to make them: what was refused was refused for want of it.
    for route in routes() {
        let call = scene.rightful(&route);
        let replay = route.resource.ends_with("/replay");
        let answer = scene.api.send(call).await;
        // Its payment is in no dispute.
        let decides = route.resource.ends_with("/dispute");
        let done = matches!(answer.status(), 200 | 201)
            || (replay && answer.slug() == Some("event-unreadable"))
            || (decides && answer.slug() == Some("dispute-not-lost"));
        assert!(done, "{} {}: {} {}", route.method, route.resource, answer.status(), answer.body);
    }
    assert_ne!(scene.state().await, state);
}
