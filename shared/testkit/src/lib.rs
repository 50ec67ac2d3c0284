//! Test support for Boxoffice, also used by its benchmark. Dev-only: no Lambda depends on it.
//!
//! - [`postgres`]: a private Postgres server, and a fresh migrated database for each test;
//! - [`invariants`]: the invariants that must hold after every test;
//! - [`lambda`] and [`events`]: a Lambda Runtime API for real binaries, and events to send them;
//! - [`sqs`]: a local SQS, and queues that are slow, silent or closed;
//! - [`issuer`]: a token issuer, and tokens of any kind, including forged ones;
//! - [`secrets`]: a Secrets Manager whose secret changes;
//! - [`token_server`]: a database that records the passwords that it is given;
//! - [`failing_server`]: a database that returns any error at any moment;
//! - [`proxy`]: a TCP proxy that adds delay, freezes and cuts;
//! - [`wait`]: waits for a condition, with a deadline;
//! - [`rng`]: random numbers that a seed repeats.
//!
//! Every helper process ends with the process that started it, however that ends.
// A helper that cannot do its work has one good option: fail the test loudly, where it happened.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod events;
pub mod failing_server;
mod http;
pub mod invariants;
pub mod issuer;
pub mod lambda;
pub mod postgres;
pub mod proxy;
pub mod rng;
pub mod secrets;
pub mod sqs;
pub mod token_server;
pub mod wait;
mod watcher;
