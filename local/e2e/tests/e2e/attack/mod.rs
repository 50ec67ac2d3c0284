//! What somebody tries who means harm, through the gateway: to come in without a right, to find what is another's, to be
//! taken for something else, to hold more than their share. `SECURITY.md` names what stops each, and the test.

mod hoarding;
mod ids;
mod injection;
mod log_lines;
mod matrix;
mod partner;
mod scene;
mod smuggling;
mod tokens;

use std::future::Future;

use tokio::task::JoinSet;

/// As many calls at once as a machine with two cores has use for: most of a call's time is waiting.
const AT_ONCE: usize = 8;

/// Does this with each of them, side by side.
async fn with_each<T, F>(items: impl IntoIterator<Item = T>, attack: impl Fn(T) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut attacks = JoinSet::new();
    for item in items {
        if attacks.len() >= AT_ONCE {
            attacks.join_next().await.unwrap().unwrap();
        }
        attacks.spawn(attack(item));
    }
    attacks.join_all().await;
}
