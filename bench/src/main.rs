//! The benchmark: `make bench`. It measures on a private Postgres with durable commits, says what it does, and writes
//! `bench/report/report.html` with `report.json` beside it.
//!
//! Machines are noisy: what is to be compared runs in one run of it, in short rounds one after another, and what
//! counts is the ratio. After each run the invariants are checked; one that broke them has no figure.
// A benchmark that cannot measure has one good answer: to end, loudly, where it happened. And printing is its work.
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
