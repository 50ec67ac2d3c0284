//! The admin Lambda.

use std::process::ExitCode;

use boxoffice_functions::{admin::Admin, serve::serve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    serve::<Admin>().await
}
