//! The smallest possible function on the real runtime library: it returns the event. Used to test the emulator, and as
//! a baseline in the benchmark. Some members of an event make it do something else first.
#![allow(clippy::print_stdout)]

use std::time::Duration;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    if std::env::var_os("FAIL_AT_START").is_some() {
        eprintln!("told to fail at start");
        std::process::exit(1);
    }
    lambda_runtime::run_concurrent(service_fn(answer)).await
}

async fn answer(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let payload = event.payload;
    if let Some(line) = payload["print"].as_str() {
        println!("{line}");
    }
    if let Some(millis) = payload["sleep_ms"].as_u64() {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
    if payload["fail"] == true {
        return Err("told to fail".into());
    }
    if payload["exit"] == true {
        eprintln!("told to exit");
        std::process::exit(3);
    }
    if payload["env"] == true {
        return Ok(json!(std::env::vars().map(|(name, _)| name).collect::<Vec<_>>()));
    }
    if payload["context"] == true {
        return Ok(json!({ "request_id": event.context.request_id, "deadline_ms": event.context.deadline }));
    }
    Ok(payload)
}
