//! Every route with every kind of token.

use std::sync::Arc;

use boxoffice_e2e::token::mint;
use boxoffice_functions::{
    access::{Access, Scope},
    routes::{Operation, ROUTES, Route},
};

use super::{scene::Scene, tokens::bad, with_each};

/// What somebody is answered who comes with a good token that gives no right to this call, or without any.
fn expected(route: &Route, has_token: bool) -> u16 {
    match route.access {
        Access::Needs(_) => {
            if has_token {
                403
            } else {
                401
            }
        }
        // Anybody may book; and what is the victim's looks as if it were not there.
        Access::OptionalToken if route.operation == Operation::BookSeats => 201,
        Access::OptionalToken => 404,
        Access::PartnerKey => 403,
        Access::Webhook => 401,
        Access::Public => 200,
    }
}

/// All scopes but the one that is needed. To read all bookings is a right to see the victim's.
fn other_scopes(route: &Route) -> String {
    let needed = match route.access {
        Access::Needs(scope) => scope,
        _ => Scope::BookingsRead,
    };
    let others: Vec<_> = Scope::ALL.into_iter().filter(|scope| *scope != needed).map(Scope::as_str).collect();
    others.join(" ")
}

/// A token that is not good is refused wherever a token is looked at, and does no harm where it is not.
async fn with_bad_tokens(scene: Arc<Scene>, route: &'static Route) {
    let all = Scope::ALL.map(Scope::as_str).join(" ");
    let takes_token = matches!(route.access, Access::OptionalToken | Access::Needs(_));
    // Where no token is looked at, four of them will do.
    let some = if takes_token { usize::MAX } else { 4 };
    for (what, token) in bad(&all).into_iter().take(some) {
        let status = if takes_token { 401 } else { expected(route, true) };
        let answer = scene.expect(what, route, scene.call(route).token(&token), status).await;
        if takes_token {
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{what}");
        }
    }
}

/// Nor does a good one of somebody else, or with other scopes, or none.
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
async fn every_route_with_every_token_does_what_its_row_says_and_nothing_else() {
    let scene = Arc::new(Scene::new().await);
    let (state, bookings) = (scene.state().await, scene.bookings().await);
    with_each(ROUTES.iter(), |route| with_bad_tokens(Arc::clone(&scene), route)).await;
    assert_eq!(scene.bookings().await, bookings);
    with_each(ROUTES.iter(), |route| by_strangers(Arc::clone(&scene), route)).await;
    assert_eq!(scene.state().await, state);
    // The same calls with the right to make them: what was refused was refused for want of it.
    for route in ROUTES {
        let answer = scene.api.send(scene.rightful(route)).await;
        let done = match route.operation {
            // Its event cannot be read, and its payment is in no dispute.
            Operation::ReplayEvent => answer.slug() == Some("event-unreadable"),
            Operation::DecideDispute => answer.slug() == Some("dispute-not-lost"),
            _ => matches!(answer.status(), 200 | 201),
        };
        assert!(done, "{} {}: {} {}", route.method, route.path, answer.status(), answer.body);
    }
    assert_ne!(scene.state().await, state);
}
