//! The seat arithmetic that must hold at every moment: `sum(free) + sum(seats held) = total_seats` for every show,
//! no pool below zero, no booking without a show. And a holder that is counted has what its count says.

use tokio_postgres::Client;

const VIOLATIONS: &str = include_str!("invariants/violations.sql");

/// What is wrong, one sentence each, at most 100; empty when all is well. One snapshot: it may run under load.
pub async fn violations(client: &Client) -> Vec<String> {
    let rows = client.query(VIOLATIONS, &[]).await.expect("the invariants should be readable");
    rows.iter().map(|row| row.get(0)).collect()
}

/// Ends the test with the list of [`violations`], if there is any.
#[track_caller]
pub fn assert_invariants(client: &Client) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let found = violations(client).await;
        assert!(found.is_empty(), "invariants broken, seen from {caller}:\n{}", found.join("\n"));
    }
}
