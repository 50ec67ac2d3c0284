//! Where the local cloud is, told by the environment.

use std::{
    env,
    path::{Path, PathBuf},
};

/// A variable of the environment that `make test` sets.
///
/// # Panics
/// It is not set.
pub fn required(name: &str) -> String {
    match env::var(name) {
        Ok(value) if !value.is_empty() => value,
        _ => panic!("{name} is not set: these tests need the local cloud; run `make test`"),
    }
}

/// The API's base URL with its stage, without a slash at the end.
pub fn api_url() -> String {
    required("BOXOFFICE_URL").trim_end_matches('/').to_owned()
}

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}
