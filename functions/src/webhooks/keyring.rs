//! An endpoint's keys, wherever they are kept: those in Secrets Manager may be rotated while we run.

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

/// When keys in Secrets Manager are read.
const RULES: Rules = Rules {
    // A secret that was taken out of the list signs nothing after this, but for the request that finds its age.
    keep: Duration::from_secs(300),
    // Whoever sends rubbish can make us read no oftener.
    again: Duration::from_secs(30),
    // A list that was deleted, or is no list any more, is good for no longer: then messages are answered 503, and come again.
    trust: Duration::from_secs(3_600),
    wait: Duration::from_millis(1500),
};

/// Reads the text of secrets.
type Parse = fn(&str) -> Result<Keys, Invalid>;

/// The keys of one endpoint. Clones share them.
#[derive(Clone, Debug)]
pub(super) enum Keyring {
    /// Those that do not change while we run; none where the endpoint is not connected.
    Fixed(Arc<Keys>),
    /// Those in Secrets Manager.
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
        "the webhooks' secret"
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
    /// There are none, since they cannot be read.
    pub(super) async fn keys(&self) -> Result<Arc<Keys>, Cause> {
        match self {
            Self::Fixed(keys) => Ok(Arc::clone(keys)),
            Self::Stored(keys) => keys.get().await,
        }
    }

    /// Newer keys than these, of which none made a signature; `None` if there are none.
    ///
    /// # Errors
    /// There may be some, but they cannot be read: whether the signature is good is not known.
    pub(super) async fn newer_than(&self, keys: &Arc<Keys>) -> Result<Option<Arc<Keys>>, Cause> {
        match self {
            Self::Fixed(_) => Ok(None),
            Self::Stored(stored) => stored.newer_than(keys).await,
        }
    }
}
