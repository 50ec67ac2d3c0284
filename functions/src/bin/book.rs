//! The book Lambda.

use std::process::ExitCode;

use boxoffice_functions::{book::Book, serve::serve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    serve::<Book>().await
}
