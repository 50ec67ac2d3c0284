//! A cached copy of a value that its owner may change at any time: webhook secrets, an issuer's keys, the database's
//! login.
//!
//! | situation | who waits | what callers get |
//! |---|---|---|
//! | there is a value | nobody | the value |
//! | it is older than [`Rules::keep`] | nobody | the value, while one read runs in the background |
//! | it cannot be read again | nobody | the value, until it is older than [`Rules::trust`] |
//! | there is no value, or it is older than `trust` | every caller, for one shared read | the result of that read |
//! | the value did not work: no key matched, a password was refused | every caller that comes before the shared read ends | the result of that read |
//!
//! At most one read runs at a time, as a task of its own: it continues after its caller gives up. If a Lambda is frozen
//! in the middle of a read, the read completes or times out after the thaw. Callers wait until their request's own
//! [`deadline`](mod@crate::platform::deadline) at most.

use std::{
    error::Error as StdError,
    fmt,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

use crate::platform::{Cause, deadline};

/// Reads the value from its owner.
pub trait Source: Send + Sync + 'static {
    /// The type of the value.
    type Value: Send + Sync + 'static;

    /// The value's name in logs: "the issuer's keys".
    fn name(&self) -> &'static str;

    /// Reads the current value.
    ///
    /// # Errors
    /// It cannot be read, or is not usable.
    fn read(&self) -> impl Future<Output = Result<Self::Value, Cause>> + Send;
}

/// When the value is read again, and how long it may be used.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The age at which it is read again.
    pub keep: Duration,
    /// The minimum time between two reads, whatever did not work: bad input cannot cause more reads. Without a value, a
    /// caller reads at once.
    pub again: Duration,
    /// The age from which it is no longer used.
    pub trust: Duration,
    /// The time limit of one read.
    pub wait: Duration,
}

/// A value that is read on demand, cached, and read again. Clones share it.
pub struct Refreshed<S: Source>(Arc<Inner<S>>);

struct Inner<S: Source> {
    source: S,
    rules: Rules,
    state: Mutex<State<S::Value>>,
}

struct State<V> {
    /// The value and the start of its read: it is at least as old as that.
    value: Option<(Arc<V>, Instant)>,
    /// The end of the last read.
    tried: Option<Instant>,
    /// The error of the last read, if it failed.
    failed: Option<Failed>,
    /// The running read.
    reading: Option<Reading>,
}

/// The result of a read; `None` while it runs.
type Reading = watch::Receiver<Option<Result<(), Failed>>>;

/// The error of a failed read, for every caller that waited for it.
#[derive(Clone, Debug)]
struct Failed(Arc<str>);

impl<S: Source> Refreshed<S> {
    /// A value that has not been read yet.
    pub fn new(source: S, rules: Rules) -> Self {
        Self::of(source, rules, None)
    }

    /// A value that the caller has just read. If it does not work, it may be read again at once.
    pub fn with(value: S::Value, source: S, rules: Rules) -> Self {
        Self::of(source, rules, Some((Arc::new(value), Instant::now())))
    }

    fn of(source: S, rules: Rules, value: Option<(Arc<S::Value>, Instant)>) -> Self {
        Self(Arc::new(Inner {
            source,
            rules,
            state: Mutex::new(State { value, tried: None, failed: None, reading: None }),
        }))
    }

    /// Returns the value. Without a usable one, waits for a read.
    ///
    /// # Errors
    /// It cannot be read, or not before the request's deadline.
    pub async fn get(&self) -> Result<Arc<S::Value>, Cause> {
        let reading = {
            let mut state = self.0.state();
            match self.0.usable(&state) {
                Some((value, age)) => {
                    if age >= self.0.rules.keep && state.may_read(self.0.rules.again) {
                        self.0.begin(&mut state);
                    }
                    return Ok(value);
                }
                None => state.reading().unwrap_or_else(|| self.0.begin(&mut state)),
            }
        };
        self.0.finish(reading).await?;
        let state = self.0.state();
        self.0.usable(&state).map(|(value, _)| value).ok_or_else(|| "there is no usable value".into())
    }

    /// Returns a newer value than `seen`, which did not work: the cached one if it is newer, otherwise the result of
    /// the running read or of a new one. `None` if the read that gave `seen` is too recent to read again.
    ///
    /// # Errors
    /// It cannot be read, or not before the request's deadline, or a recent read failed: a newer value may exist.
    pub async fn newer_than(&self, seen: &Arc<S::Value>) -> Result<Option<Arc<S::Value>>, Cause> {
        let reading = {
            let mut state = self.0.state();
            if let Some((value, _)) = self.0.usable(&state)
                && !Arc::ptr_eq(&value, seen)
            {
                return Ok(Some(value));
            }
            match state.reading() {
                Some(reading) => reading,
                None if state.may_read(self.0.rules.again) => self.0.begin(&mut state),
                // Only a successful read can tell whether there is a newer one.
                None => return state.failed.clone().map_or(Ok(None), |failed| Err(failed.into())),
            }
        };
        self.0.finish(reading).await?;
        let state = self.0.state();
        Ok(self.0.usable(&state).map(|(value, _)| value).filter(|value| !Arc::ptr_eq(value, seen)))
    }
}

impl<S: Source> Inner<S> {
    fn state(&self) -> MutexGuard<'_, State<S::Value>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value and its age, if it may be used.
    fn usable(&self, state: &State<S::Value>) -> Option<(Arc<S::Value>, Duration)> {
        let (value, read) = state.value.as_ref()?;
        let age = read.elapsed();
        (age < self.rules.trust).then(|| (Arc::clone(value), age))
    }

    /// Starts a read. None may be running.
    fn begin(self: &Arc<Self>, state: &mut State<S::Value>) -> Reading {
        let (done, reading) = watch::channel(None);
        state.reading = Some(reading.clone());
        let inner = Arc::clone(self);
        tokio::spawn(async move {
            let begun = Instant::now();
            let read = timeout(inner.rules.wait, inner.source.read()).await;
            let read = read.unwrap_or_else(|_| Err("it took too long".into()));
            let result = inner.end(begun, read);
            // It is fine if no caller waits.
            done.send_replace(Some(result));
        });
        reading
    }

    /// Stores the result of a read.
    fn end(&self, begun: Instant, read: Result<S::Value, Cause>) -> Result<(), Failed> {
        let mut state = self.state();
        state.reading = None;
        state.tried = Some(Instant::now());
        let cause = match read {
            Ok(value) => {
                state.value = Some((Arc::new(value), begun));
                state.failed = None;
                return Ok(());
            }
            Err(cause) => cause,
        };
        let kept = self.usable(&state).is_some();
        tracing::warn!(%cause, kept, "could not read {}", self.source.name());
        let failed = Failed(format!("could not read {}: {cause}", self.source.name()).into());
        state.failed = Some(failed.clone());
        Err(failed)
    }

    /// Waits for a read, until the request's deadline.
    async fn finish(&self, mut reading: Reading) -> Result<(), Cause> {
        // A read has its own time limit; the extra second lets its task run.
        let bound = deadline::bound(self.rules.wait + Duration::from_secs(1));
        match timeout(bound, reading.wait_for(Option::is_some)).await {
            Ok(Ok(result)) => result.clone().unwrap_or(Ok(())).map_err(Cause::from),
            Ok(Err(_)) => Err(format!("could not read {}: the read panicked", self.source.name()).into()),
            Err(_) => Err(format!("could not read {} before the deadline", self.source.name()).into()),
        }
    }
}

impl<V> State<V> {
    /// The running read. A read that panicked does not count.
    fn reading(&self) -> Option<Reading> {
        self.reading.clone().filter(|reading| reading.has_changed().is_ok())
    }

    /// Whether a read may start: none is running, and the last one ended at least `again` ago.
    fn may_read(&self, again: Duration) -> bool {
        self.reading().is_none() && self.tried.is_none_or(|tried| tried.elapsed() >= again)
    }
}

impl<S: Source> Clone for Refreshed<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Does not show the value.
impl<S: Source> fmt::Debug for Refreshed<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Refreshed({})", self.0.source.name())
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Failed {}

#[cfg(test)]
mod tests;
