//! From `main` to answers.

use std::{future::Future, process::ExitCode};

use boxoffice_shared::{
    config::{Environment, Reader},
    db::Db,
    error::Cause,
    logging,
    metrics::Counter,
    start::start,
};
use jiff::Timestamp;
use lambda_http::{Body, Request, Response, service_fn};

use crate::http::{Call, Problem, Reply};

/// One Lambda: what it has at hand for every request. A clone serves each request, and shares connections.
pub trait Handler: Clone + Send + Sync + Sized + 'static {
    /// Reads the environment and opens connections.
    ///
    /// # Errors
    /// The environment is not usable; the message names every fault.
    fn start() -> impl Future<Output = Result<Self, Cause>> + Send;

    /// Answers a request of somebody who may make it.
    ///
    /// # Errors
    /// Why it was not done.
    fn handle(&self, call: &Call<'_>) -> impl Future<Output = Result<Reply, Problem>> + Send;
}

/// Starts the handler and answers requests until the instance ends.
///
/// Where the platform sends several requests at once to one instance (`AWS_LAMBDA_MAX_CONCURRENCY`), they are answered
/// side by side.
pub async fn serve<H: Handler>() -> ExitCode {
    logging::init();
    let handler = match H::start().await {
        Ok(handler) => handler,
        Err(cause) => {
            tracing::error!("cannot start: {cause}");
            return ExitCode::FAILURE;
        }
    };
    let service = service_fn(move |request: Request| {
        let handler = handler.clone();
        // Always `Ok`: an `Err` would be an invocation error, and the client would not see the problem document.
        async move { Ok::<_, lambda_http::Error>(answer(&handler, &request).await) }
    });
    match lambda_http::run_concurrent(service).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the Lambda runtime ended");
            ExitCode::FAILURE
        }
    }
}

/// The response to a request: whether its caller may make it is asked here, for all routes of all handlers. Logs and counts
/// what is ours to mend.
async fn answer<H: Handler>(handler: &H, request: &Request) -> Response<Body> {
    let result = match Call::admit(request, Timestamp::now()) {
        Ok(call) => handler.handle(&call).await,
        Err(problem) => Err(problem),
    };
    let reply = result.unwrap_or_else(|problem| {
        problem.log();
        Counter::Unavailable.add(problem.is_unavailable().into());
        Reply::problem(&problem)
    });
    reply.into_response()
}

/// Starts a Lambda that reads the database, or its replica where there is one, and needs nothing else.
pub(crate) async fn start_with_replica() -> Result<Db, Cause> {
    let mut reader = Reader::new(&Environment);
    let (database, connections) = (reader.read_database(), reader.concurrency());
    let (database, connections) = reader.finish(database.zip(connections))?;
    Ok(start(database, connections).await?.0)
}
