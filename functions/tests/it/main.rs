//! The real binaries under a Lambda runtime, by what they are tested for; and the files that describe them.
//!
//! One binary: it links once, and all its tests run side by side.
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
