//! A Lambda runtime for real binaries: it starts a function as Lambda does, and sends it events one by one.
//!
//! ```no_run
//! # async fn example() {
//! use boxoffice_testkit::{events, lambda::Instance};
//! let instance = Instance::start("target/debug/list-shows", &[("DATABASE_URL", "postgres://...")]).await;
//! instance.ready().await.expect("it should come up");
//! let answer = instance.invoke(&events::api_event("GET", "/shows", &[], &[], &[], None)).await.unwrap();
//! assert_eq!(answer["statusCode"], 200);
//! # }
//! ```

mod environment;
mod error;
mod instance;
mod output;
mod runtime_api;
mod usage;

pub use error::InvokeError;
pub use instance::{Builder, Instance};
pub use usage::Usage;
