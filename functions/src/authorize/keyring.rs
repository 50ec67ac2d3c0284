//! The issuer's keys while we run: read when they are needed, kept, and read again when they may have changed.

use std::time::Duration;

use boxoffice_shared::{
    error::Cause,
    metrics::Counter,
    platform::{
        config::Issuer,
        fetch::{SafeUrl, Web},
        refreshed::{Refreshed, Rules, Source},
    },
};
use serde::Deserialize;

use super::key::{self, Key};

/// When keys are read.
const RULES: Rules = Rules {
    // One that the issuer took back verifies nothing after this, but for the token that finds its age.
    keep: Duration::from_secs(600),
    // Whoever makes up key ids, as anybody can, makes us read no oftener.
    again: Duration::from_secs(30),
    // An issuer's outage of a night stops nobody.
    trust: Duration::from_secs(24 * 3600),
    // Two documents, 2 s each at most.
    wait: Duration::from_millis(4500),
};

/// The keys of one issuer. Clones share them.
pub(super) type Keyring = Refreshed<Published>;

/// What an issuer publishes.
pub(super) struct Published {
    issuer: Issuer,
    web: Web,
}

/// The keys of this issuer, none of them read yet.
pub(super) fn keyring(issuer: Issuer, web: Web) -> Keyring {
    Refreshed::new(Published { issuer, web }, RULES)
}

impl Source for Published {
    type Value = Vec<Key>;

    fn name(&self) -> &'static str {
        "the issuer's key set"
    }

    async fn read(&self) -> Result<Vec<Key>, Cause> {
        self.fetch().await.inspect_err(|_| Counter::IssuerUnreachable.add(1))
    }
}

impl Published {
    async fn fetch(&self) -> Result<Vec<Key>, Cause> {
        #[derive(Deserialize)]
        struct Discovery {
            issuer: String,
            jwks_uri: String,
        }
        let discovery: Discovery = serde_json::from_slice(&self.web.get(self.issuer.discovery()).await?)?;
        if !self.issuer.is(&discovery.issuer) {
            return Err("the issuer's own document names another issuer".into());
        }
        let url = SafeUrl::try_from(discovery.jwks_uri.as_str()).map_err(|invalid| format!("jwks_uri {invalid}"))?;
        key::read(&self.web.get(&url).await?)
    }
}

#[cfg(test)]
mod tests;
