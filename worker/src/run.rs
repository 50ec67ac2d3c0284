//! From `main` to the Lambda runtime.

use std::{future::Future, process::ExitCode};

use boxoffice_shared::{
    error::Cause,
    platform::{deadline, start},
};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// One Lambda: what it has at hand for every event. A clone serves each event, and shares connections.
pub trait Worker: Clone + Send + Sync + Sized + 'static {
    /// What triggers it.
    type Event: DeserializeOwned + Send + 'static;
    /// What it reports.
    type Report: Serialize + Send + 'static;

    /// Reads the environment and opens connections.
    ///
    /// # Errors
    /// The environment is not usable; the message names every fault.
    fn start() -> impl Future<Output = Result<Self, Cause>> + Send;

    /// Does the work of one event, within the time that Lambda gives it (see [`deadline`]).
    ///
    /// # Errors
    /// None of it could be done; the trigger may try again.
    fn work(&self, event: Self::Event) -> impl Future<Output = Result<Self::Report, boxoffice_shared::Error>> + Send;
}

/// Starts the worker and serves events until the instance ends.
pub async fn run<W: Worker>() -> ExitCode {
    start::run(W::start(), work_on_all).await
}

async fn work_on_all<W: Worker>(worker: W) -> Result<(), Cause> {
    let service = service_fn(move |event: LambdaEvent<Value>| {
        let worker = worker.clone();
        let deadline = deadline::of_event(event.context.deadline());
        async move {
            let event = read(event.payload)?;
            // Boxed: the future is so deep that the compiler would not lay it out with those around it.
            deadline::within(deadline, Box::pin(worker.work(event))).await.map_err(logged)
        }
    });
    lambda_runtime::run_concurrent(service).await
}

/// The event, read by us: of one that it cannot read the runtime would log what is wrong, and quote it.
fn read<E: DeserializeOwned>(payload: Value) -> Result<E, Error> {
    serde_json::from_value(payload).map_err(|_| {
        tracing::error!("an event is not one of this function's trigger");
        "the event is not one of this function's trigger".into()
    })
}

fn logged(error: boxoffice_shared::Error) -> Error {
    tracing::error!(cause = ?std::error::Error::source(&error), "the event failed: {error}");
    error.into()
}
