//! The real worker binaries under a Lambda runtime.
//!
//! One binary: it links once, and all its tests run side by side.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod anonymise_bookings;
mod common;
mod confirm_payments;
mod expire_holds;
mod logs;
mod sweep_holds;
