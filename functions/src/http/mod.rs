//! HTTP in and out: the only place that knows status codes, headers and JSON pointers.

mod body;
mod caller;
mod problem;
mod reply;
mod request;

pub(crate) use body::{Fields, raw_body};
pub use caller::Caller;
pub use problem::Problem;
pub use reply::Reply;
pub use request::Call;
