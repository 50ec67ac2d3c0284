//! The start of every Lambda, before its first request.

use std::{num::NonZeroU16, process::ExitCode};

use native_tls::TlsConnector;

use crate::platform::{Cause, config::DatabaseSource, db::Db, logging, secret, tls};

/// Runs a Lambda from `main` on: starts logging, waits for `start`, and gives what it made to `serve`, which ends with the instance.
///
/// The exit code is a failure if either fails; the log says why.
pub async fn run<T>(
    start: impl Future<Output = Result<T, Cause>>,
    serve: impl AsyncFnOnce(T) -> Result<(), Cause>,
) -> ExitCode {
    logging::init();
    let started = match start.await {
        Ok(started) => started,
        Err(cause) => {
            tracing::error!("cannot start: {cause}");
            return ExitCode::FAILURE;
        }
    };
    match serve(started).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the Lambda runtime ended");
            ExitCode::FAILURE
        }
    }
}

/// Builds the one TLS connector and opens the connections to the database.
///
/// An unreachable database is not an error here: the first request tries again and answers 503 if it must. So an outage
/// does not also cause a storm of instances that start and die.
///
/// # Errors
/// A certificate file or a secret cannot be read, or IAM login is set and there are no credentials.
pub async fn start(database: DatabaseSource, connections: NonZeroU16) -> Result<(Db, TlsConnector), Cause> {
    let tls = tls::connector(database.ca_file())?;
    let database = secret::resolve(database, &tls).await?;
    let db = Db::new(&database, tls.clone(), connections)?;
    if let Err(cause) = db.warm().await {
        tracing::warn!(?cause, "could not connect to the database at start; the first request tries again");
    }
    Ok((db, tls))
}
