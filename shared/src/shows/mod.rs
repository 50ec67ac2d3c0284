//! Shows: create, read and change them.

mod create;
mod creation_key;
mod get;
mod list;
mod set_holder_limits;
mod set_pools;
mod show;

pub use create::{CreatedShow, NewShow, create, create_once};
pub use creation_key::CreationKey;
pub use get::get;
pub use list::list;
pub use set_holder_limits::{LimitChange, set_holder_limits};
pub use set_pools::set_pools;
pub use show::{Show, ShowCursor, ShowId, ShowName};
