//! The anonymise-bookings Lambda.

use std::process::ExitCode;

use boxoffice_worker::{anonymise_bookings::AnonymiseBookings, run::run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run::<AnonymiseBookings>().await
}
