//! Starts a helper, prints its address, and waits to be killed. Used to test that a helper does not outlive its
//! process.
#![allow(clippy::print_stdout, clippy::panic)]

use std::time::Duration;

use boxoffice_testkit::postgres::{Options, Server};
use boxoffice_testkit::sqs::Sqs;

/// Longer than any test waits, and a limit for manual runs.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("postgres") => {
            let server = Server::start(&Options::fast());
            wait_to_be_killed(&format!("127.0.0.1:{}", server.port()));
        }
        Some("sqs") => {
            let sqs = Sqs::start();
            wait_to_be_killed(sqs.endpoint().trim_start_matches("http://"));
        }
        _ => panic!("usage: hold-until-killed postgres|sqs"),
    }
}

fn wait_to_be_killed(address: &str) {
    println!("{address}");
    std::thread::sleep(PATIENCE);
}
