//! Attacks through the gateway: access without a right, guessed ids, injection, request smuggling, and hoarding of
//! seats. `SECURITY.md` names the defence against each attack, and its test.

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

/// The number of concurrent calls. It keeps two cores busy, since a call mostly waits.
const AT_ONCE: usize = 8;

/// Runs `attack` for each item, with a limited number at a time.
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
