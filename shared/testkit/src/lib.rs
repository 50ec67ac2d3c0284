//! Test support for Boxoffice, and the parts that its benchmark is made of. Dev-only: no Lambda depends on it.
//!
//! - [`postgres`]: a private Postgres server, and a fresh migrated database for each test;
//! - [`invariants`]: the seat arithmetic that must hold after every test;
//! - [`lambda`] and [`events`]: a Lambda Runtime API that real binaries run under, and the events to send them;
//! - [`sqs`]: a local SQS, and queues that are slow, silent or closed;
//! - [`issuer`]: an issuer of access tokens, and tokens of any kind, forged ones too;
//! - [`secrets`]: a Secrets Manager with a secret that changes;
//! - [`token_server`]: a database that shows what it is given for a password;
//! - [`failing_server`]: a database that answers with any error at any moment;
//! - [`proxy`]: a TCP proxy that adds delay, freezes and cuts;
//! - [`rng`]: random numbers that can be had again from a seed.
//!
//! Every helper process that is started here ends with the process that started it, however that ends.
// A helper that cannot do its work has one good answer in a test: end it, loudly, where it happened.
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
mod watcher;
