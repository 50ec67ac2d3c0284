//! What every Lambda does before its first request.

use std::num::NonZeroU16;

use aws_config::SdkConfig;

use crate::{aws, config::DatabaseSource, db::Db, error::Cause, tls};

/// Builds the one TLS connector, loads the AWS settings and opens a connection to the database.
///
/// A database that cannot be reached now is no error: the first request tries again, and answers 503 if it must. So
/// an outage does not also become a storm of instances that start and die.
///
/// # Errors
/// A file of certificates or a secret cannot be read.
pub async fn start(database: DatabaseSource, connections: NonZeroU16) -> Result<(Db, SdkConfig), Cause> {
    let tls = tls::connector(database.ca_file())?;
    let aws = aws::load(&tls).await;
    let database = aws::resolve(database, &aws).await?;
    let db = Db::new(&database, tls, connections)?;
    if let Err(error) = db.warm().await {
        tracing::warn!(cause = ?std::error::Error::source(&error), "no connection to the database at start");
    }
    Ok((db, aws))
}
