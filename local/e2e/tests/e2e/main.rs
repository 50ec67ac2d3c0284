//! End-to-end tests through the local cloud that `make test` starts: API Gateway, Lambda and SQS, emulated.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod access;
mod attack;
mod contract;
mod dead_letter;
mod docs;
mod events;
mod malformed;
mod paging;
mod payments;
mod race;
mod secret;
mod story;
mod sweep;
mod table;
