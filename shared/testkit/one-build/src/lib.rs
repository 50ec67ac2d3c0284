//! Nothing: what counts is in `Cargo.toml`. A dev-dependency of every member, so that `cargo test -p ONE` compiles no dependency
//! that `cargo test` of all has compiled already, and one of the fuzz targets, which share the tests' dependencies. No Lambda has it.
