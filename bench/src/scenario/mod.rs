//! The scenarios, one per file.

mod buyers;
mod crowding;
mod expiry;
mod fleet;
mod lambdas;
mod lean;
mod network;
mod redis;
mod start;
mod statements;
mod subject;
mod tail;
mod webhooks;

use std::fmt;
use std::str::FromStr;

use crate::bench::Bench;
use crate::report::Report;

/// A scenario's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Statements,
    Network,
    Lambdas,
    Tail,
    Expiry,
    Lean,
    Webhooks,
    Pools,
    Crowding,
}

impl Name {
    /// The scenarios that run by default.
    pub(crate) const UNASKED: &[Self] =
        &[Self::Statements, Self::Network, Self::Lambdas, Self::Tail, Self::Expiry, Self::Lean, Self::Webhooks];
    const ALL: &[(Self, &str, &str)] = &[
        (Self::Statements, "statements", "the booking statement alone, by pgbench, compared with common alternatives"),
        (Self::Network, "network", "the same with 1 ms added to each round trip"),
        (Self::Lambdas, "lambdas", "the real book binary under a Lambda runtime, with its queue"),
        (Self::Tail, "tail", "the last seats, a sold-out show, pages of shows"),
        (Self::Expiry, "expiry", "holds that expire and bookings that are cancelled while a show sells"),
        (Self::Lean, "lean", "the cost of an instance of each Lambda"),
        (Self::Webhooks, "webhooks", "signed webhooks through the real confirm binary, compared with bookings"),
        (Self::Pools, "pools", "the booking statement by number of pools"),
        (Self::Crowding, "crowding", "everybody's bookings while one holder is busy or a lock is kept"),
    ];

    /// A description in one line.
    pub(crate) fn about(self) -> &'static str {
        self.entry().2
    }

    fn entry(self) -> &'static (Self, &'static str, &'static str) {
        Self::ALL.iter().find(|entry| entry.0 == self).expect("ALL has every scenario")
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.entry().1)
    }
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let entry = Self::ALL.iter().find(|entry| entry.1 == text);
        entry.map(|entry| entry.0).ok_or_else(|| format!("there is no scenario `{text}`"))
    }
}

/// Runs a scenario and adds its results to the report.
pub(crate) async fn run(name: Name, bench: &Bench, postmaster: u32, report: &mut Report) {
    match name {
        Name::Statements => statements::run(bench, postmaster, report).await,
        Name::Network => network::run(bench, postmaster, report).await,
        Name::Lambdas => lambdas::run(bench, postmaster, report).await,
        Name::Tail => tail::run(bench, report).await,
        Name::Expiry => expiry::run(bench, report).await,
        Name::Lean => lean::run(bench, report).await,
        Name::Webhooks => webhooks::run(bench, postmaster, report).await,
        Name::Crowding => crowding::run(bench, report).await,
        Name::Pools => statements::run_pools(bench, postmaster, report).await,
    }
}
