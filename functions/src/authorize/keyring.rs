//! The issuer's keys while we run: read when they are needed, kept, and read again when they may have changed.

use std::{sync::Arc, time::Duration};

use boxoffice_shared::{
    config::Issuer,
    error::Cause,
    fetch::{SafeUrl, Web},
    metrics::Counter,
};
use serde::Deserialize;
use tokio::{sync::Mutex, time::Instant};

use super::key::{self, Key};

/// How long keys are used before they are read again: one that the issuer took back verifies nothing after this.
const KEEP: Duration = Duration::from_secs(600);

/// After how long they are read again for a key that we do not have, or after a reading that failed. Whoever makes up
/// key ids, as anybody can, makes us read no oftener.
const REREAD: Duration = Duration::from_secs(30);

/// How long keys stay in use when they cannot be read again: an issuer's outage of a night stops nobody.
const KEEP_AT_MOST: Duration = Duration::from_secs(24 * 3600);

/// Keys that were read at one time.
pub(super) type Keys = Arc<[Key]>;

/// The keys of one issuer. Clones share them.
#[derive(Clone)]
pub(super) struct Keyring {
    issuer: Issuer,
    web: Web,
    last: Arc<Mutex<Last>>,
}

/// What the last readings gave.
#[derive(Default)]
struct Last {
    /// The keys, and when they were read.
    keys: Option<(Keys, Instant)>,
    /// When the last attempt ended, successful or not.
    tried: Option<Instant>,
}

impl Keyring {
    /// The keys of this issuer, none of them read yet.
    pub(super) fn new(issuer: Issuer, web: Web) -> Self {
        Self { issuer, web, last: Arc::default() }
    }

    /// The keys to verify a token with. Takes 4 s at most to read them, and as long again for whoever waits behind
    /// another's reading.
    ///
    /// # Errors
    /// There are none, since they cannot be read.
    pub(super) async fn keys(&self) -> Result<Keys, Cause> {
        let came = Instant::now();
        // Held while they are read: those who come meanwhile wait for this reading instead of making their own.
        let mut last = self.last.lock().await;
        if last.is_due(Instant::now()) {
            if last.tried.is_some_and(|tried| tried > came) {
                return Err("another call has just tried in vain".into());
            }
            self.renew(&mut last).await?;
        }
        last.usable(Instant::now()).ok_or_else(|| "there are no keys".into())
    }

    /// Newer keys than these, which do not have the one that is asked for; `None` if there are none.
    pub(super) async fn newer_than(&self, keys: &Keys) -> Option<Keys> {
        let mut last = self.last.lock().await;
        let is_newer = |last: &Last| last.usable(Instant::now()).filter(|usable| !Arc::ptr_eq(usable, keys));
        if is_newer(&last).is_none() && last.was_tried_before(REREAD, Instant::now()) {
            // The keys that we have do not know this one: without news the token is not believed, and it is said so.
            self.renew(&mut last).await.ok()?;
        }
        is_newer(&last)
    }

    /// Reads the keys.
    ///
    /// # Errors
    /// They cannot be read, and there are no old ones that may still be used.
    async fn renew(&self, last: &mut Last) -> Result<(), Cause> {
        let result = self.read().await;
        let now = Instant::now();
        last.tried = Some(now);
        match result {
            Ok(keys) => last.keys = Some((keys.into(), now)),
            Err(cause) => {
                Counter::IssuerUnreachable.add(1);
                if last.usable(now).is_none() {
                    return Err(cause);
                }
                tracing::warn!(%cause, "the issuer's keys cannot be read again; the last ones stay in use");
            }
        }
        Ok(())
    }

    async fn read(&self) -> Result<Vec<Key>, Cause> {
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

impl Last {
    /// Keys that may still be used.
    fn usable(&self, now: Instant) -> Option<Keys> {
        let (keys, read) = self.keys.as_ref()?;
        (now.saturating_duration_since(*read) < KEEP_AT_MOST).then(|| Arc::clone(keys))
    }

    /// Whether it is time to read. Without any keys, always: no token can be verified until there are some.
    fn is_due(&self, now: Instant) -> bool {
        let Some((_, read)) = self.keys.as_ref().filter(|_| self.usable(now).is_some()) else { return true };
        now.saturating_duration_since(*read) >= KEEP && self.was_tried_before(REREAD, now)
    }

    /// Whether the last attempt is so long ago.
    fn was_tried_before(&self, age: Duration, now: Instant) -> bool {
        self.tried.is_none_or(|tried| now.saturating_duration_since(tried) >= age)
    }
}

#[cfg(test)]
mod tests;
