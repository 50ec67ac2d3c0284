//! The operations against a real Postgres, by capability.
//!
//! One binary: it links once, and all its tests run side by side.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod bookings;
mod checks;
mod common;
mod holders;
mod inventory;
mod payments;
mod platform;
mod privacy;
