//! Postgres: connections, logins, TLS, and the one way in which statements run.

mod fault;
mod iam;
mod login;
mod pool;
pub(crate) mod row;
mod run;
mod told;

pub(crate) use fault::Fault;
pub use pool::{Db, connect};
pub(crate) use run::{Repeat, Statement, Values};
pub(crate) use told::is_of_statement;
