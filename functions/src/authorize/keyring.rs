//! The cache of the issuer's keys: read when they are needed, and again when they may have changed.

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

/// When the keys are read.
const RULES: Rules = Rules {
    // After this time a key that the issuer revoked verifies at most one more token, which triggers the refresh.
    keep: Duration::from_secs(600),
    // Anybody can send tokens with invented key ids. They cause no more reads than this.
    again: Duration::from_secs(30),
    // An outage of the issuer for a night has no effect.
    trust: Duration::from_secs(24 * 3600),
    // Two documents, at most 2 s each.
    wait: Duration::from_millis(4500),
};

/// The keys of one issuer. Clones share them.
pub(super) type Keyring = Refreshed<Published>;

/// The source of an issuer's keys.
pub(super) struct Published {
    issuer: Issuer,
    web: Web,
}

/// The cache of this issuer's keys, which starts empty.
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
            return Err("the issuer's discovery document names another issuer".into());
        }
        let url = SafeUrl::try_from(discovery.jwks_uri.as_str()).map_err(|invalid| format!("jwks_uri {invalid}"))?;
        key::read(&self.web.get(&url).await?)
    }
}

#[cfg(test)]
mod tests;
