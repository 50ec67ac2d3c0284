//! A value that somebody else keeps and may change while we run: webhook secrets, an issuer's keys, the database's login.
//!
//! | when | who waits | what is used |
//! |---|---|---|
//! | there is a value | nobody | it |
//! | it is older than [`Rules::keep`] | nobody | it; one reading goes on beside |
//! | it cannot be read again | nobody | it, until it is older than [`Rules::trust`] |
//! | there is none, or none that is trusted | all, for the one reading | what that gives |
//! | it did not do: no key matched, a password was refused | all who came before the one reading ended, for it | what that gives |
//!
//! There is one reading at a time. It is a task of its own: it goes on when whoever asked for it has given up, and a Lambda
//! that is frozen in the middle of it finds its answer, or that it took too long, when it goes on. Whoever waits does so until the
//! request's own [`deadline`](mod@crate::platform::deadline) at most.

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

/// Where the value is.
pub trait Source: Send + Sync + 'static {
    /// What it is.
    type Value: Send + Sync + 'static;

    /// Its name, for the log: "the issuer's keys".
    fn name(&self) -> &'static str;

    /// The value as it is now.
    ///
    /// # Errors
    /// It cannot be read, or is nothing that can be used.
    fn read(&self) -> impl Future<Output = Result<Self::Value, Cause>> + Send;
}

/// When it is read, and for how long it is good.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// At this age it is read again.
    pub keep: Duration,
    /// It is not read again sooner than this after the last reading, whatever did not do: whoever sends rubbish makes us read
    /// no oftener. Without a value it is read at once.
    pub again: Duration,
    /// At this age it is not used any more.
    pub trust: Duration,
    /// What one reading may take.
    pub wait: Duration,
}

/// A value that is read when it is needed, kept, and read again. Clones share it.
pub struct Refreshed<S: Source>(Arc<Inner<S>>);

struct Inner<S: Source> {
    source: S,
    rules: Rules,
    state: Mutex<State<S::Value>>,
}

struct State<V> {
    /// The value, and when its reading began: it is at least as old as that.
    value: Option<(Arc<V>, Instant)>,
    /// When the last reading ended.
    tried: Option<Instant>,
    /// Why the last reading gave nothing, if it did not.
    failed: Option<Failed>,
    /// The one that is under way.
    reading: Option<Reading>,
}

/// What became of a reading; `None` while it is under way.
type Reading = watch::Receiver<Option<Result<(), Failed>>>;

/// Why a reading gave nothing, for all who waited for it.
#[derive(Clone, Debug)]
struct Failed(Arc<str>);

impl<S: Source> Refreshed<S> {
    /// A value that nobody has read yet.
    pub fn new(source: S, rules: Rules) -> Self {
        Self::of(source, rules, None)
    }

    /// A value that somebody else has read just now. It may be read again at once, should it not do.
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

    /// The value. Without one that can be used, waits for it to be read.
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
        self.0.usable(&state).map(|(value, _)| value).ok_or_else(|| "there is none that can be used".into())
    }

    /// A newer value than `seen`, which did not do. If there is one already it is that; else what a reading gives that is
    /// under way, or may be begun. `None` if none may be: the last one, which gave `seen`, is too short a time ago.
    ///
    /// # Errors
    /// It cannot be read, or could not a short time ago, or not before the request's deadline: there may be a newer one.
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
                // Nobody knows whether there is a newer one until a reading succeeds.
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

    /// The value that may be used, and its age.
    fn usable(&self, state: &State<S::Value>) -> Option<(Arc<S::Value>, Duration)> {
        let (value, read) = state.value.as_ref()?;
        let age = read.elapsed();
        (age < self.rules.trust).then(|| (Arc::clone(value), age))
    }

    /// Begins a reading. There is none under way.
    fn begin(self: &Arc<Self>, state: &mut State<S::Value>) -> Reading {
        let (done, reading) = watch::channel(None);
        state.reading = Some(reading.clone());
        let inner = Arc::clone(self);
        tokio::spawn(async move {
            let begun = Instant::now();
            let read = timeout(inner.rules.wait, inner.source.read()).await;
            let read = read.unwrap_or_else(|_| Err("it took too long".into()));
            let result = inner.end(begun, read);
            // Nobody may be waiting.
            done.send_replace(Some(result));
        });
        reading
    }

    /// Keeps what a reading gave.
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
        tracing::warn!(%cause, kept, "{} cannot be read", self.source.name());
        let failed = Failed(format!("{} cannot be read: {cause}", self.source.name()).into());
        state.failed = Some(failed.clone());
        Err(failed)
    }

    /// Waits for a reading, until the request's deadline.
    async fn finish(&self, mut reading: Reading) -> Result<(), Cause> {
        // A reading ends by its own bound; the margin is for its task to be run.
        let bound = deadline::bound(self.rules.wait + Duration::from_secs(1));
        match timeout(bound, reading.wait_for(Option::is_some)).await {
            Ok(Ok(result)) => result.clone().unwrap_or(Ok(())).map_err(Cause::from),
            Ok(Err(_)) => Err(format!("{} cannot be read: the reading panicked", self.source.name()).into()),
            Err(_) => Err(format!("{} cannot be read in time", self.source.name()).into()),
        }
    }
}

impl<V> State<V> {
    /// The reading that is under way. One that panicked is none.
    fn reading(&self) -> Option<Reading> {
        self.reading.clone().filter(|reading| reading.has_changed().is_ok())
    }

    /// Whether a reading may be begun: none is under way, and the last one ended so long ago.
    fn may_read(&self, again: Duration) -> bool {
        self.reading().is_none() && self.tried.is_none_or(|tried| tried.elapsed() >= again)
    }
}

impl<S: Source> Clone for Refreshed<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Shows nothing of the value.
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
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::{
        task::{JoinSet, yield_now},
        time::advance,
    };

    use super::*;
    use crate::platform::deadline::within;

    const SECOND: Duration = Duration::from_secs(1);

    const RULES: Rules = Rules {
        keep: Duration::from_secs(300),
        again: Duration::from_secs(30),
        trust: Duration::from_secs(3_600),
        wait: SECOND,
    };

    /// Gives the number of its readings, once it may, as long as it works.
    #[derive(Clone)]
    struct Fake(Arc<Switches>);

    struct Switches {
        reads: AtomicU32,
        open: watch::Sender<bool>,
        broken: watch::Sender<bool>,
        panics: watch::Sender<bool>,
    }

    impl Source for Fake {
        type Value = u32;

        fn name(&self) -> &'static str {
            "the number"
        }

        async fn read(&self) -> Result<u32, Cause> {
            let number = self.0.reads.fetch_add(1, Ordering::Relaxed) + 1;
            self.0.open.subscribe().wait_for(|open| *open).await?;
            assert!(!*self.0.panics.borrow(), "as the test asked for");
            if *self.0.broken.borrow() { Err("it is broken".into()) } else { Ok(number) }
        }
    }

    fn refreshed() -> (Refreshed<Fake>, Arc<Switches>) {
        let switches = Arc::new(Switches {
            reads: AtomicU32::new(0),
            open: watch::Sender::new(true),
            broken: watch::Sender::new(false),
            panics: watch::Sender::new(false),
        });
        (Refreshed::new(Fake(Arc::clone(&switches)), RULES), switches)
    }

    impl Switches {
        fn reads(&self) -> u32 {
            self.reads.load(Ordering::Relaxed)
        }
    }

    /// Lets the tasks that can go on do so. The clock stands still meanwhile.
    async fn settle() {
        for _ in 0..50 {
            yield_now().await;
        }
    }

    /// The value, without any wait.
    async fn at_once(refreshed: &Refreshed<Fake>) -> u32 {
        let before = Instant::now();
        let value = *refreshed.get().await.unwrap();
        assert_eq!(before, Instant::now(), "it waited");
        value
    }

    #[tokio::test(start_paused = true)]
    async fn a_value_is_read_when_it_is_needed_and_again_beside_those_who_use_it() {
        let (refreshed, fake) = refreshed();
        assert_eq!(fake.reads(), 0);
        assert_eq!((*refreshed.get().await.unwrap(), fake.reads()), (1, 1));
        advance(RULES.keep - SECOND).await;
        assert_eq!((at_once(&refreshed).await, fake.reads()), (1, 1));
        advance(SECOND).await;
        // Whoever notices that it is old has the old one, and so have all until the reading ends.
        fake.open.send_replace(false);
        for _ in 0..20 {
            assert_eq!(at_once(&refreshed).await, 1);
            settle().await;
        }
        assert_eq!(fake.reads(), 2, "one reading");
        fake.open.send_replace(true);
        settle().await;
        assert_eq!((at_once(&refreshed).await, fake.reads()), (2, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_value_all_wait_for_one_reading() {
        let (refreshed, fake) = refreshed();
        for (broken, expected) in [(true, None), (false, Some(2))] {
            fake.broken.send_replace(broken);
            fake.open.send_replace(false);
            let mut calls = JoinSet::new();
            for _ in 0..20 {
                let refreshed = refreshed.clone();
                calls.spawn(async move { refreshed.get().await.ok().map(|value| *value) });
            }
            settle().await;
            fake.open.send_replace(true);
            assert_eq!(calls.join_all().await, vec![expected; 20]);
        }
        // In an outage one who comes later tries anew, at once.
        assert_eq!(fake.reads(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_value_is_used_in_an_outage_and_not_for_ever() {
        let (refreshed, fake) = refreshed();
        refreshed.get().await.unwrap();
        fake.broken.send_replace(true);
        advance(RULES.keep).await;
        let mut age = RULES.keep;
        while age < RULES.trust {
            assert_eq!(at_once(&refreshed).await, 1, "{age:?}");
            settle().await;
            let reads = fake.reads();
            assert_eq!(at_once(&refreshed).await, 1);
            settle().await;
            assert_eq!(fake.reads(), reads, "not again at once");
            advance(RULES.again).await;
            age += RULES.again;
        }
        let error = refreshed.get().await.unwrap_err().to_string();
        assert!(error.contains("the number cannot be read: it is broken"), "{error}");
        fake.broken.send_replace(false);
        assert_eq!(*refreshed.get().await.unwrap(), fake.reads());
    }

    /// A reading that gives what cannot be used is one that failed: what was deleted is not used for ever either.
    #[tokio::test(start_paused = true)]
    async fn a_value_that_nobody_asked_for_ages_all_the_same() {
        let (refreshed, fake) = refreshed();
        refreshed.get().await.unwrap();
        advance(RULES.trust).await;
        fake.broken.send_replace(true);
        assert!(refreshed.get().await.is_err());
        fake.broken.send_replace(false);
        assert_eq!(*refreshed.get().await.unwrap(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn all_who_have_no_match_before_the_reading_ends_wait_for_it() {
        let (refreshed, fake) = refreshed();
        let old = refreshed.get().await.unwrap();
        advance(RULES.again).await;
        fake.open.send_replace(false);
        let mut calls = JoinSet::new();
        for _ in 0..20 {
            let (refreshed, old) = (refreshed.clone(), Arc::clone(&old));
            calls.spawn(async move { refreshed.newer_than(&old).await.unwrap().map(|value| *value) });
            settle().await;
        }
        // Whoever has no need of a newer one goes on meanwhile.
        assert_eq!(at_once(&refreshed).await, 1);
        fake.open.send_replace(true);
        assert_eq!(calls.join_all().await, vec![Some(2); 20]);
        // One who tried the old one and comes just after it: there is a newer one, and no need to read.
        assert_eq!(refreshed.newer_than(&old).await.unwrap().as_deref(), Some(&2));
        assert_eq!(fake.reads(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn rubbish_has_it_read_no_oftener() {
        let (refreshed, fake) = refreshed();
        let old = refreshed.get().await.unwrap();
        for _ in 0..100 {
            assert!(refreshed.newer_than(&old).await.unwrap().is_none());
        }
        advance(RULES.again - SECOND).await;
        assert!(refreshed.newer_than(&old).await.unwrap().is_none());
        assert_eq!(fake.reads(), 1);
        advance(SECOND).await;
        let new = refreshed.newer_than(&old).await.unwrap().unwrap();
        assert!(refreshed.newer_than(&new).await.unwrap().is_none());
        assert_eq!((*new, fake.reads()), (2, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_value_that_was_given_is_read_again_as_soon_as_it_does_not_do() {
        let (other, fake) = refreshed();
        let refreshed = Refreshed::with(0, Fake(Arc::clone(&fake)), RULES);
        let given = refreshed.get().await.unwrap();
        assert_eq!((*given, fake.reads()), (0, 0));
        assert_eq!(refreshed.newer_than(&given).await.unwrap().as_deref(), Some(&1));
        assert_eq!(*other.get().await.unwrap(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reading_that_fails_leaves_it_open_whether_there_is_a_newer_one() {
        let (refreshed, fake) = refreshed();
        let old = refreshed.get().await.unwrap();
        advance(RULES.again).await;
        fake.broken.send_replace(true);
        let before = fake.reads();
        // Whoever comes a moment later knows no more, though nothing is read for it.
        for _ in 0..3 {
            assert!(refreshed.newer_than(&old).await.is_err());
            assert_eq!(fake.reads(), before + 1);
        }
        assert_eq!(at_once(&refreshed).await, 1);
        fake.broken.send_replace(false);
        advance(RULES.again).await;
        assert!(refreshed.newer_than(&old).await.unwrap().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_longer_than_the_request_has() {
        let (refreshed, fake) = refreshed();
        fake.open.send_replace(false);
        let begun = Instant::now();
        assert!(within(begun + SECOND / 4, refreshed.get()).await.is_err());
        assert_eq!(begun.elapsed(), SECOND / 4);
        // The reading is not the request's: it goes on, and the next request has what it gives.
        fake.open.send_replace(true);
        settle().await;
        assert_eq!((at_once(&refreshed).await, fake.reads()), (1, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reading_that_never_ends_is_given_up_and_tried_again() {
        let (refreshed, fake) = refreshed();
        fake.open.send_replace(false);
        let begun = Instant::now();
        assert!(refreshed.get().await.is_err());
        assert_eq!(begun.elapsed(), RULES.wait);
        fake.open.send_replace(true);
        assert_eq!(*refreshed.get().await.unwrap(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reading_that_panics_is_one_that_failed() {
        let (refreshed, fake) = refreshed();
        fake.panics.send_replace(true);
        assert!(refreshed.get().await.is_err());
        fake.panics.send_replace(false);
        assert_eq!(*refreshed.get().await.unwrap(), 2);
    }
}
