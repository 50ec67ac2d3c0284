//! The real worker binaries under a Lambda runtime.
//!
//! All tests are in one binary, which links once and runs them in parallel.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod anonymise_bookings;
mod common;
mod confirm_payments;
mod expire_holds;
mod logs;
mod sweep_holds;
