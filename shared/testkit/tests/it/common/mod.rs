//! What several of these tests need.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Longer than any clean-up here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Starts a helper (`postgres` or `sqs`) in a process of its own, kills that process, and waits for the helper to go.
pub(crate) fn assert_dies_with_its_process(helper: &str) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_hold-until-killed"))
        .arg(helper)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the process should start");
    let mut address = String::new();
    BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut address).expect("it should say where");
    let listens = || TcpStream::connect(address.trim()).is_ok();
    assert!(listens(), "{helper} should listen on {address}");
    child.kill().expect("it should run"); // SIGKILL: nothing of its own can run any more
    child.wait().expect("it was ours");
    let since = Instant::now();
    while listens() {
        assert!(since.elapsed() < PATIENCE, "{helper} outlives its process");
        std::thread::sleep(Duration::from_millis(20));
    }
}
