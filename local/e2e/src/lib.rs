//! What the end-to-end tests share: a client that holds every answer to `openapi.yaml`, and a view of the database and
//! the queues behind the API.
//!
//! The tests need a running local cloud and find it by the environment: `make test` starts one and runs them. They share
//! it and run side by side, so each makes its own shows, and none waits by the clock where a state can be asked for.
// A helper that cannot do its work has one good answer in a test: end it, loudly, where it happened.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod api;
pub mod contract;
pub mod database;
pub mod docs;
pub mod http;
pub mod partner;
pub mod poll;
pub mod setting;
pub mod sqs;
pub mod token;
pub mod webhook;

use std::{
    process,
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

/// A name that no other test, process or run has: `label-<time>-<process>-<counter>`.
pub fn unique(label: &str) -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    format!("{label}-{nanos:x}-{}-{}", process::id(), COUNTER.fetch_add(1, Ordering::Relaxed))
}
