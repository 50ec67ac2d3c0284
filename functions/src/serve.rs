//! Runs a handler: from `main` to the answer of each request.

use std::{
    future::Future,
    panic::AssertUnwindSafe,
    process::ExitCode,
    task::{Context, Poll},
};

use boxoffice_shared::{
    Error,
    error::Cause,
    metrics::Counter,
    platform::{
        config::{Environment, Reader},
        db::Db,
        deadline,
        start::{run, start},
    },
};
use futures_util::{FutureExt, future::BoxFuture};
use jiff::Timestamp;
use lambda_runtime::{LambdaEvent, LambdaInvocation, Runtime, Service, layers::TracingLayer, service_fn, tower::Layer};
use serde_json::value::RawValue;

use crate::http::{Call, Problem, Reply, Request};

/// One Lambda. Each request is handled by a clone; clones share connections.
pub trait Handler: Clone + Send + Sync + Sized + 'static {
    /// Reads the environment and opens connections.
    ///
    /// # Errors
    /// The environment is not usable. The message names every fault.
    fn start() -> impl Future<Output = Result<Self, Cause>> + Send;

    /// Handles a request whose caller may make it. It is stopped before Lambda's or the gateway's time is over (see [`deadline`]).
    ///
    /// # Errors
    /// Why the request failed.
    fn handle(&self, call: &Call<'_>) -> impl Future<Output = Result<Reply, Problem>> + Send;

    /// Finishes work after the answer was sent. The client does not wait for it, but the instance takes no other request and is
    /// not frozen before it is done. So it must be short.
    fn finish(&self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// Starts the handler and answers requests until the instance ends.
///
/// If the platform sends several requests at once to one instance (`AWS_LAMBDA_MAX_CONCURRENCY`), they run concurrently.
pub async fn serve<H: Handler>() -> ExitCode {
    run(H::start(), answer_all).await
}

async fn answer_all<H: Handler>(handler: H) -> Result<(), Cause> {
    let finishing = Finishing(handler.clone());
    // Raw, so that an event that cannot be parsed gets an answer instead of an invocation error.
    let service = service_fn(move |event: LambdaEvent<Box<RawValue>>| {
        let handler = handler.clone();
        // Always `Ok`. An `Err` would be an invocation error, and the client would not get the problem document.
        async move {
            let deadline = deadline::of_request(event.context.deadline());
            // Boxed, because the future is too deep for the compiler's layout computation.
            let answer = deadline::within(deadline, Box::pin(answer(&handler, event.payload.get()))).await;
            Ok::<_, lambda_runtime::Error>(answer)
        }
    });
    Runtime::new(service).layer(finishing).layer(TracingLayer::new()).run_concurrent().await
}

/// Calls [`Handler::finish`] after each answer: after the runtime has sent the answer to Lambda, and before it asks for the next
/// request, when Lambda may freeze the instance
/// (<https://aws.amazon.com/blogs/compute/running-code-after-returning-a-response-from-an-aws-lambda-function/>).
#[derive(Clone)]
struct Finishing<H>(H);

/// The service that runs an invocation and then [`Handler::finish`].
#[derive(Clone)]
struct Finished<H, S> {
    handler: H,
    invocation: S,
}

impl<H: Clone, S> Layer<S> for Finishing<H> {
    type Service = Finished<H, S>;

    fn layer(&self, invocation: S) -> Self::Service {
        Finished { handler: self.0.clone(), invocation }
    }
}

impl<H, S> Service<LambdaInvocation> for Finished<H, S>
where
    H: Handler,
    S: Service<LambdaInvocation, Response = (), Error = lambda_runtime::Error>,
    S::Future: Send + 'static,
{
    type Response = ();
    type Error = lambda_runtime::Error;
    type Future = BoxFuture<'static, Result<(), lambda_runtime::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.invocation.poll_ready(cx)
    }

    fn call(&mut self, invocation: LambdaInvocation) -> Self::Future {
        let (answered, handler) = (self.invocation.call(invocation), self.handler.clone());
        async move {
            let answered = answered.await;
            handler.finish().await;
            answered
        }
        .boxed()
    }
}

/// Answers the request in an event; `HEAD` gets no body. Logs and counts our own errors.
async fn answer<H: Handler>(handler: &H, event: &str) -> Reply {
    // A panic is a defect. The client gets an answer all the same.
    let request = Request::read(event);
    let is_head = request.as_ref().is_ok_and(Request::is_head);
    let result = AssertUnwindSafe(respond(handler, request).boxed()).catch_unwind().await;
    let result = result.unwrap_or_else(|_| Err(Problem::Refused(Error::Internal("a request panicked".into()))));
    let reply = result.unwrap_or_else(|problem| {
        problem.log();
        Counter::Unavailable.add(problem.is_unavailable().into());
        Reply::problem(&problem)
    });
    if is_head { reply.without_body() } else { reply }
}

/// Checks that the request could be read and that its caller may make it, and passes it to the handler.
///
/// # Errors
/// Why the request failed.
pub async fn respond<H: Handler>(handler: &H, request: Result<Request, Problem>) -> Result<Reply, Problem> {
    let request = request?;
    let call = Call::admit(&request, Timestamp::now())?;
    handler.handle(&call).await
}

/// Connects to the replica, or to the database if there is no replica.
pub(crate) async fn start_with_replica() -> Result<Db, Cause> {
    let mut reader = Reader::new(&Environment);
    let settings = (reader.read_database(), reader.concurrency());
    let (database, connections) = reader.finish(settings)?;
    Ok(start(database, connections).await?.0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Clone)]
    struct Panics;

    impl Handler for Panics {
        async fn start() -> Result<Self, Cause> {
            Ok(Self)
        }

        #[allow(clippy::panic, reason = "it is what is tested")]
        async fn handle(&self, _: &Call<'_>) -> Result<Reply, Problem> {
            panic!("at bookings.rs:7")
        }
    }

    #[tokio::test]
    async fn a_panic_is_a_500_without_internals() {
        let event = json!({ "httpMethod": "GET", "requestContext": { "resourcePath": "/shows" } });
        let reply = serde_json::to_value(answer(&Panics, &event.to_string()).await).unwrap();
        assert_eq!(reply["statusCode"], 500);
        let body = reply["body"].as_str().unwrap();
        assert!(body.contains("/problems/internal") && !body.contains("bookings.rs"), "{body}");
    }
}
