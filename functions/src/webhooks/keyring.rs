//! An endpoint's keys, wherever they are kept: those in Secrets Manager may be rotated while we run.

use std::{sync::Arc, time::Duration};

use boxoffice_shared::{config::SecretSource, error::Cause, model::Invalid, secret};
use native_tls::TlsConnector;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

use super::key::{Key, Keys};

/// How long keys from Secrets Manager are used before they are read again: a secret that was taken away signs nothing
/// after this.
const KEEP: Duration = Duration::from_secs(300);

/// After how long a signature that no key made has them read again, for it may be a new key's. Whoever sends rubbish can
/// make us read no oftener.
const REREAD: Duration = Duration::from_secs(30);

/// How long a request waits for its keys to be read. It may wait 10 s for the database and 3 s for the queue after it.
const WAIT: Duration = Duration::from_millis(1500);

/// Reads the text of secrets.
type Parse = fn(&str) -> Result<Keys, Invalid>;

/// The keys of one endpoint. Clones share them.
#[derive(Clone, Debug)]
pub(super) enum Keyring {
    /// Those that do not change while we run; none where the endpoint is not connected.
    Fixed(Arc<[Key]>),
    /// Those in Secrets Manager.
    Stored { arn: Arc<str>, tls: TlsConnector, parse: Parse, last: Arc<Mutex<Last>> },
}

/// What the last reading gave.
#[derive(Debug, Default)]
pub(super) struct Last {
    keys: Option<Arc<[Key]>>,
    /// Of the last attempt, successful or not.
    at: Option<Instant>,
}

/// Why keys are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// A message is to be verified.
    Verify,
    /// None of the keys that we had signed it.
    NoneMatched,
}

impl Keyring {
    /// The keys of this source.
    pub(super) fn new(source: SecretSource<Keys>, parse: Parse, tls: &TlsConnector) -> Self {
        match source {
            SecretSource::Unset => Self::Fixed(Arc::new([])),
            SecretSource::Known(keys) => Self::Fixed(keys.into()),
            SecretSource::Stored { arn } => {
                Self::Stored { arn: arn.into(), tls: tls.clone(), parse, last: Arc::default() }
            }
        }
    }

    /// The keys to verify a message with; for [`Need::NoneMatched`] `None` if they are not newer than those it was tried
    /// with.
    ///
    /// # Errors
    /// There are none, since they cannot be read.
    pub(super) async fn keys(&self, need: Need) -> Result<Option<Arc<[Key]>>, Cause> {
        let (arn, tls, parse, last) = match (self, need) {
            (Self::Fixed(keys), Need::Verify) => return Ok(Some(Arc::clone(keys))),
            (Self::Fixed(_), Need::NoneMatched) => return Ok(None),
            (Self::Stored { arn, tls, parse, last }, _) => (arn, tls, parse, last),
        };
        // Held while they are read: those who come meanwhile wait for this reading instead of making their own.
        let mut last = last.lock().await;
        if !due(need, &last, Instant::now()) {
            return Ok(if need == Need::Verify { last.keys.clone() } else { None });
        }
        last.at = Some(Instant::now());
        let text = timeout(WAIT, secret::read(arn, tls)).await.unwrap_or_else(|elapsed| Err(elapsed.into()));
        match text.and_then(|text| parse(&text).map_err(Cause::from)) {
            Ok(keys) => last.keys = Some(keys.into()),
            Err(cause) if last.keys.is_none() => return Err(cause),
            Err(cause) => {
                tracing::warn!(?cause, "the webhooks' secrets cannot be read again; the last ones stay in use")
            }
        }
        Ok(last.keys.clone())
    }
}

/// Whether it is time to read. Without any keys, always: no message can be verified until there are some.
fn due(need: Need, last: &Last, now: Instant) -> bool {
    let (Some(_), Some(at)) = (&last.keys, last.at) else { return true };
    let age = now.saturating_duration_since(at);
    match need {
        Need::Verify => age >= KEEP,
        Need::NoneMatched => age >= REREAD,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_when_there_are_none_every_5_minutes_and_at_most_every_30_s_when_none_matched() {
        let at = Instant::now();
        let after = |seconds| at + Duration::from_secs(seconds);
        let last = Last { keys: Some(Arc::new([])), at: Some(at) };
        assert!(due(Need::Verify, &Last::default(), at));
        assert!(!due(Need::Verify, &last, after(299)));
        assert!(due(Need::Verify, &last, after(300)));
        assert!(!due(Need::NoneMatched, &last, after(29)));
        assert!(due(Need::NoneMatched, &last, after(30)));
    }
}
