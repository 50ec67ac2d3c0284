//! The confirm Lambda.

use std::process::ExitCode;

use boxoffice_functions::{confirm::Confirm, serve::serve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    serve::<Confirm>().await
}
