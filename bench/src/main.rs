//! The benchmark: `make bench`. It measures on a private Postgres with durable commits, prints its progress, and writes
//! `bench/report/report.html` and `report.json`.
//!
//! Machines are noisy. So figures to be compared come from one run, in short rounds that alternate, and the ratio is
//! what counts. The invariants are checked after each run; a run that broke them has no figure.
// A benchmark that cannot measure has one good option: stop loudly, where it happened. And it prints its results.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod bench;
mod measure;
mod options;
mod report;
mod scenario;
mod shows;

use std::process::ExitCode;

use bench::Bench;
use options::Options;

#[tokio::main]
async fn main() -> ExitCode {
    let options = match Options::read(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    let directory = options.report.clone();
    let report = Bench::start(options).run().await;
    print!("{}", report.summary());
    match report.write(&directory) {
        Ok(()) => {
            println!("\nThe report: {}", directory.join("report.html").display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{}: {error}", directory.display());
            ExitCode::FAILURE
        }
    }
}
