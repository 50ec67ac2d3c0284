//! The list-shows Lambda.

use std::process::ExitCode;

use boxoffice_functions::{list_shows::ListShows, serve::serve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    serve::<ListShows>().await
}
