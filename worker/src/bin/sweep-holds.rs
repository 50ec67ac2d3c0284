//! The sweep-holds Lambda.

use std::process::ExitCode;

use boxoffice_worker::{run::run, sweep_holds::SweepHolds};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run::<SweepHolds>().await
}
