//! HTTP in and out: the only place that knows status codes, headers and JSON pointers.

mod body;
mod problem;
mod reply;
mod request;

pub(crate) use body::{Fields, raw_body};
pub(crate) use problem::Problem;
pub(crate) use reply::Reply;
pub(crate) use request::Call;
