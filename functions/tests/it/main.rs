//! Tests of the real binaries in a Lambda runtime, and of the files that describe them.
//!
//! One test binary, so that it links once and all tests run in parallel.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod admin;
mod authorize;
mod aws;
mod book;
mod common;
mod confirm;
mod http;
mod platform;
mod security_md;
mod template;
mod webhooks;
