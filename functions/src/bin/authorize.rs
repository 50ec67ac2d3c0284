//! The authorize Lambda.

use std::process::ExitCode;

use boxoffice_functions::authorize;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    authorize::serve().await
}
