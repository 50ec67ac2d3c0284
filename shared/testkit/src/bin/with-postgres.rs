//! Runs a command, such as `cargo test`, with one Postgres server that all test processes in it share:
//! `with-postgres COMMAND [ARGUMENT...]`. The server ends with the command.
#![allow(clippy::expect_used)]

use std::process::{Command, ExitCode};

use boxoffice_testkit::postgres::{Options, SHARED_SERVER, Server};

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let Some(command) = words.next() else {
        eprintln!("usage: with-postgres COMMAND [ARGUMENT...]");
        return ExitCode::from(2);
    };
    let server = Server::start(&Options::fast());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(server.prepare());
    let status = Command::new(command).args(words).env(SHARED_SERVER, server.dir()).status().expect("it should start");
    // The shell's word for a signal is 128 and more; here any will do.
    status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
}
