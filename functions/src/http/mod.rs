//! HTTP requests and responses. Only this module knows status codes, headers and JSON pointers.

mod body;
mod caller;
mod event;
mod media_type;
mod page;
mod problem;
mod reply;
mod request;

pub(crate) use body::raw_body;
pub use body::{Fields, FromJson};
pub use caller::Caller;
pub use event::Request;
pub use page::{Filter, Unreadable, Wanted};
pub use problem::{Fault, Problem};
pub use reply::Reply;
pub use request::Call;
