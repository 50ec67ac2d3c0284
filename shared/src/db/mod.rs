//! Postgres: connections, logins, TLS, and the one way in which statements run.

mod fault;
mod iam;
mod login;
mod pool;
mod run;
mod told;

pub use pool::{Db, connect};
pub(crate) use run::{Repeat, Statement, Values};
pub(crate) use told::is_of_statement;
