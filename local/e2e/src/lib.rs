//! Helpers of the end-to-end tests: a client that checks every answer against `openapi.yaml`, and access to the
//! database and the queues behind the API.
//!
//! The tests need a running local cloud, which they find through environment variables. `make test` starts one and runs
//! them. They share it and run concurrently, so each test creates its own shows. A test polls for a state instead of
//! sleeping, wherever the state can be read.
// A helper that fails in a test should panic where it failed.
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

/// A name that is unique across tests, processes and runs: `label-<time>-<process>-<counter>`.
pub fn unique(label: &str) -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    format!("{label}-{nanos:x}-{}-{}", process::id(), COUNTER.fetch_add(1, Ordering::Relaxed))
}
