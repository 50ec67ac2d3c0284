//! Parts that any Lambda needs, free of domain words: the database, AWS, the environment, time, logs.
//!
//! This module uses no capability; every capability may use it.

pub mod all;
pub mod aws;
pub mod config;
pub mod db;
pub mod deadline;
pub(crate) mod emf;
pub mod fetch;
mod invalid;
pub mod logging;
pub(crate) mod path_id;
pub(crate) mod queue;
pub mod refreshed;
pub mod secret;
pub mod start;
pub(crate) mod text;
pub mod time;
pub mod tls;

use std::error::Error as StdError;

pub use invalid::Invalid;
pub(crate) use invalid::canonical_integer;

/// The cause of an internal failure. It is logged, and never shown to a client.
pub type Cause = Box<dyn StdError + Send + Sync>;
