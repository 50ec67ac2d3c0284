//! The confirm-payments Lambda.

use std::process::ExitCode;

use boxoffice_worker::{confirm_payments::ConfirmPayments, run::run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run::<ConfirmPayments>().await
}
