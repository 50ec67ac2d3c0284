//! The local cloud's settings, from environment variables.

use std::{
    env,
    path::{Path, PathBuf},
};

/// An environment variable that `make test` sets.
///
/// # Panics
/// If it is missing or empty.
pub fn required(name: &str) -> String {
    match env::var(name) {
        Ok(value) if !value.is_empty() => value,
        _ => panic!("{name} is not set: these tests need the local cloud; run `make test`"),
    }
}

/// The API's base URL with the stage, without a trailing slash.
pub fn api_url() -> String {
    required("BOXOFFICE_URL").trim_end_matches('/').to_owned()
}

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}
