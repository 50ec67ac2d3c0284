//! The test support itself.
//!
//! One binary: it links once, and all its tests run side by side.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;
mod invariants;
mod lambda;
mod postgres;
mod proxy;
mod rng;
mod sqs;
mod tls;
