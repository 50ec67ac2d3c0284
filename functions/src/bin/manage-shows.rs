//! The manage-shows Lambda.

use std::process::ExitCode;

use boxoffice_functions::{manage_shows::ManageShows, serve::serve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    serve::<ManageShows>().await
}
