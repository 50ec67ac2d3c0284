//! HTTP in and out: the only place that knows status codes, headers and JSON pointers.

mod body;
mod problem;
mod reply;
mod request;

pub(crate) use body::raw_body;
pub use body::{Fields, FromJson};
pub use problem::{Fault, Problem};
pub(crate) use reply::Reply;
pub(crate) use request::Call;
