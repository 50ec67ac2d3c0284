//! The expire-holds Lambda.

use std::process::ExitCode;

use boxoffice_worker::{expire_holds::ExpireHolds, run::run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run::<ExpireHolds>().await
}
