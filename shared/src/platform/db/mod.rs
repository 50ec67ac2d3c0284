//! Postgres: connections, logins, TLS, and how all statements run.

mod fault;
mod iam;
mod login;
mod pool;
mod redacted;
pub(crate) mod row;
mod run;

pub(crate) use fault::Fault;
pub use pool::{Db, connect};
pub(crate) use redacted::is_of_statement;
pub(crate) use run::{Repeat, Statement, Values};
