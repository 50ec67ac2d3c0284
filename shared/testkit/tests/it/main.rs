//! Tests of the test support itself.
//!
//! They are one binary, which links once and runs all its tests in parallel.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;
mod invariants;
mod lambda;
mod postgres;
mod proxy;
mod rng;
mod sqs;
mod tls;
