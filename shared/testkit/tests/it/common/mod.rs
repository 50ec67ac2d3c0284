//! Helpers shared by these tests.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A deadline longer than any clean-up here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Starts a helper (`postgres` or `sqs`) in its own process, kills that process, and waits until the helper has ended.
pub(crate) fn assert_dies_with_its_process(helper: &str) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_hold-until-killed"))
        .arg(helper)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the process should start");
    let mut address = String::new();
    BufReader::new(child.stdout.take().expect("stdout should be piped"))
        .read_line(&mut address)
        .expect("the process should print its address");
    let listens = || TcpStream::connect(address.trim()).is_ok();
    assert!(listens(), "{helper} should listen on {address}");
    child.kill().expect("the process should run"); // SIGKILL: the process cannot clean up
    child.wait().expect("the process should be our child");
    let since = Instant::now();
    while listens() {
        assert!(since.elapsed() < PATIENCE, "{helper} outlives its process");
        std::thread::sleep(Duration::from_millis(20));
    }
}
