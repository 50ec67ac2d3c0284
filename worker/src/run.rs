//! Runs a worker: from `main` to the report of each event.

use std::{future::Future, process::ExitCode};

use boxoffice_shared::{
    error::Cause,
    platform::{deadline, start},
};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// One Lambda. Each event is handled by a clone; clones share connections.
pub trait Worker: Clone + Send + Sync + Sized + 'static {
    /// The event that triggers it.
    type Event: DeserializeOwned + Send + 'static;
    /// What it returns.
    type Report: Serialize + Send + 'static;

    /// Reads the environment and opens connections.
    ///
    /// # Errors
    /// The environment is not usable. The message names every fault.
    fn start() -> impl Future<Output = Result<Self, Cause>> + Send;

    /// Handles one event. It is stopped before Lambda's time is over (see [`deadline`]).
    ///
    /// # Errors
    /// Nothing was done. The trigger may try again.
    fn work(&self, event: Self::Event) -> impl Future<Output = Result<Self::Report, boxoffice_shared::Error>> + Send;
}

/// Starts the worker and handles events until the instance ends.
pub async fn run<W: Worker>() -> ExitCode {
    start::run(W::start(), work_on_all).await
}

async fn work_on_all<W: Worker>(worker: W) -> Result<(), Cause> {
    let service = service_fn(move |event: LambdaEvent<Value>| {
        let worker = worker.clone();
        let deadline = deadline::of_event(event.context.deadline());
        async move {
            let event = read(event.payload)?;
            // Boxed, because the future is too deep for the compiler's layout computation.
            deadline::within(deadline, Box::pin(worker.work(event))).await.map_err(logged)
        }
    });
    lambda_runtime::run_concurrent(service).await
}

/// Parses the event. The runtime would log the content of an event that it cannot parse.
fn read<E: DeserializeOwned>(payload: Value) -> Result<E, Error> {
    serde_json::from_value(payload).map_err(|_| {
        tracing::error!("an event is not of this function's trigger");
        "the event is not of this function's trigger".into()
    })
}

fn logged(error: boxoffice_shared::Error) -> Error {
    tracing::error!(cause = ?std::error::Error::source(&error), "the event failed: {error}");
    error.into()
}
