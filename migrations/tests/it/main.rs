//! The migrations and the commands of this crate against a real Postgres.
//!
//! One binary: it links once, and all its tests run side by side.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod app_login;
mod check;
mod cleaning;
mod roles;
mod rolling;
mod run;
mod schema;
