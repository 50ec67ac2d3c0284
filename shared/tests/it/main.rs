//! Tests of the operations against a real Postgres, one module per capability.
//!
//! They are one binary, which links once and runs all its tests in parallel.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod bookings;
mod checks;
mod common;
mod holders;
mod inventory;
mod payments;
mod platform;
mod privacy;
