//! The keys of an endpoint: fixed, or from Secrets Manager, where they may be rotated.

use std::{sync::Arc, time::Duration};

use boxoffice_shared::{
    Invalid,
    error::Cause,
    platform::{
        config::SecretSource,
        refreshed::{Refreshed, Rules, Source},
        secret,
    },
};
use native_tls::TlsConnector;

use super::key::Keys;

/// When the keys are read from Secrets Manager.
const RULES: Rules = Rules {
    // After this time a secret that was removed verifies at most one more message, which triggers the refresh.
    keep: Duration::from_secs(300),
    // Messages with invalid signatures cause no more reads than this.
    again: Duration::from_secs(30),
    // If the secret is deleted or becomes invalid, the old keys are used for this long. Then messages are answered 503, and the
    // provider sends them again.
    trust: Duration::from_secs(3_600),
    wait: Duration::from_millis(1500),
};

/// Reads keys from the text of a secret.
type Parse = fn(&str) -> Result<Keys, Invalid>;

/// The keys of one endpoint. Clones share them.
#[derive(Clone, Debug)]
pub(super) enum Keyring {
    /// Keys that do not change. None if the endpoint is not used.
    Fixed(Arc<Keys>),
    /// Keys in Secrets Manager.
    Stored(Refreshed<Stored>),
}

/// A list of secrets in Secrets Manager.
pub(super) struct Stored {
    arn: String,
    tls: TlsConnector,
    parse: Parse,
}

impl Source for Stored {
    type Value = Keys;

    fn name(&self) -> &'static str {
        "the webhook secret"
    }

    async fn read(&self) -> Result<Keys, Cause> {
        let text = secret::read(&self.arn, &self.tls).await?;
        Ok((self.parse)(&text)?)
    }
}

impl Keyring {
    /// The keys of this source.
    pub(super) fn new(source: SecretSource<Keys>, parse: Parse, tls: &TlsConnector) -> Self {
        match source {
            SecretSource::Unset => Self::Fixed(Arc::default()),
            SecretSource::Known(keys) => Self::Fixed(Arc::new(keys)),
            SecretSource::Stored { arn } => {
                Self::Stored(Refreshed::new(Stored { arn, tls: tls.clone(), parse }, RULES))
            }
        }
    }

    /// The keys to verify a message with.
    ///
    /// # Errors
    /// The keys cannot be read.
    pub(super) async fn keys(&self) -> Result<Arc<Keys>, Cause> {
        match self {
            Self::Fixed(keys) => Ok(Arc::clone(keys)),
            Self::Stored(keys) => keys.get().await,
        }
    }

    /// Newer keys than these, if none of these made the signature; `None` if there are none.
    ///
    /// # Errors
    /// The keys cannot be read, so it is unknown whether the signature is valid.
    pub(super) async fn newer_than(&self, keys: &Arc<Keys>) -> Result<Option<Arc<Keys>>, Cause> {
        match self {
            Self::Fixed(_) => Ok(None),
            Self::Stored(stored) => stored.newer_than(keys).await,
        }
    }
}
