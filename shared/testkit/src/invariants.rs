//! The invariants that must hold at every moment: for every show, free seats + held seats = total seats; no pool is
//! below zero; no booking lacks a show; and a holder's count, where it is kept, equals its bookings.

use tokio_postgres::Client;

const VIOLATIONS: &str = include_str!("invariants/violations.sql");

/// Lists up to 100 violations, one sentence each. It reads one snapshot, so it may run under load.
pub async fn violations(client: &Client) -> Vec<String> {
    let rows = client.query(VIOLATIONS, &[]).await.expect("the invariants should be readable");
    rows.iter().map(|row| row.get(0)).collect()
}

/// Fails the test with the list of [`violations`], if there are any.
#[track_caller]
pub fn assert_invariants(client: &Client) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let found = violations(client).await;
        assert!(found.is_empty(), "invariants broken, seen from {caller}:\n{}", found.join("\n"));
    }
}
