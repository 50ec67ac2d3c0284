//! The bookings Lambda.

use std::process::ExitCode;

use boxoffice_functions::{bookings::Bookings, serve::serve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    serve::<Bookings>().await
}
