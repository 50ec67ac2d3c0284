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

/// Returns the number of the read: waits until the switch `open` is on, and fails while `broken` is.
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
        assert!(!*self.0.panics.borrow(), "the test asked for this panic");
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

/// Runs every task that can proceed, without advancing the clock.
async fn run_ready_tasks() {
    for _ in 0..50 {
        yield_now().await;
    }
}

/// Gets the value and asserts that this did not wait.
async fn get_without_waiting(refreshed: &Refreshed<Fake>) -> u32 {
    let before = Instant::now();
    let value = *refreshed.get().await.unwrap();
    assert_eq!(before, Instant::now(), "it waited");
    value
}

#[tokio::test(start_paused = true)]
async fn an_old_value_is_used_while_one_background_read_renews_it() {
    let (refreshed, fake) = refreshed();
    assert_eq!(fake.reads(), 0);
    assert_eq!((*refreshed.get().await.unwrap(), fake.reads()), (1, 1));
    advance(RULES.keep - SECOND).await;
    assert_eq!((get_without_waiting(&refreshed).await, fake.reads()), (1, 1));
    advance(SECOND).await;
    // Every caller gets the old value until the read ends.
    fake.open.send_replace(false);
    for _ in 0..20 {
        assert_eq!(get_without_waiting(&refreshed).await, 1);
        run_ready_tasks().await;
    }
    assert_eq!(fake.reads(), 2, "one read");
    fake.open.send_replace(true);
    run_ready_tasks().await;
    assert_eq!((get_without_waiting(&refreshed).await, fake.reads()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn callers_without_a_value_share_one_read() {
    let (refreshed, fake) = refreshed();
    for (broken, expected) in [(true, None), (false, Some(2))] {
        fake.broken.send_replace(broken);
        fake.open.send_replace(false);
        let mut calls = JoinSet::new();
        for _ in 0..20 {
            let refreshed = refreshed.clone();
            calls.spawn(async move { refreshed.get().await.ok().map(|value| *value) });
        }
        run_ready_tasks().await;
        fake.open.send_replace(true);
        assert_eq!(calls.join_all().await, vec![expected; 20]);
    }
    // In an outage a later caller reads again at once.
    assert_eq!(fake.reads(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_old_value_is_used_in_an_outage_until_it_is_too_old() {
    let (refreshed, fake) = refreshed();
    refreshed.get().await.unwrap();
    fake.broken.send_replace(true);
    advance(RULES.keep).await;
    let mut age = RULES.keep;
    while age < RULES.trust {
        assert_eq!(get_without_waiting(&refreshed).await, 1, "{age:?}");
        run_ready_tasks().await;
        let reads = fake.reads();
        assert_eq!(get_without_waiting(&refreshed).await, 1);
        run_ready_tasks().await;
        assert_eq!(fake.reads(), reads, "it was read again too soon");
        advance(RULES.again).await;
        age += RULES.again;
    }
    let error = refreshed.get().await.unwrap_err().to_string();
    assert!(error.contains("could not read the number: it is broken"), "{error}");
    fake.broken.send_replace(false);
    assert_eq!(*refreshed.get().await.unwrap(), fake.reads());
}

/// A failed read does not extend the use of an old value: a deleted secret stops being used.
#[tokio::test(start_paused = true)]
async fn an_unused_value_ages_too() {
    let (refreshed, fake) = refreshed();
    refreshed.get().await.unwrap();
    advance(RULES.trust).await;
    fake.broken.send_replace(true);
    assert!(refreshed.get().await.is_err());
    fake.broken.send_replace(false);
    assert_eq!(*refreshed.get().await.unwrap(), 3);
}

#[tokio::test(start_paused = true)]
async fn callers_whose_value_did_not_work_share_one_read() {
    let (refreshed, fake) = refreshed();
    let old = refreshed.get().await.unwrap();
    advance(RULES.again).await;
    fake.open.send_replace(false);
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let (refreshed, old) = (refreshed.clone(), Arc::clone(&old));
        calls.spawn(async move { refreshed.newer_than(&old).await.unwrap().map(|value| *value) });
        run_ready_tasks().await;
    }
    // Callers for whom the old value works do not wait.
    assert_eq!(get_without_waiting(&refreshed).await, 1);
    fake.open.send_replace(true);
    assert_eq!(calls.join_all().await, vec![Some(2); 20]);
    // A caller that comes just after the read, with the old value, gets the new one without a read.
    assert_eq!(refreshed.newer_than(&old).await.unwrap().as_deref(), Some(&2));
    assert_eq!(fake.reads(), 2);
}

#[tokio::test(start_paused = true)]
async fn bad_input_causes_no_extra_reads() {
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
async fn a_given_value_may_be_read_again_at_once() {
    let (other, fake) = refreshed();
    let refreshed = Refreshed::with(0, Fake(Arc::clone(&fake)), RULES);
    let given = refreshed.get().await.unwrap();
    assert_eq!((*given, fake.reads()), (0, 0));
    assert_eq!(refreshed.newer_than(&given).await.unwrap().as_deref(), Some(&1));
    assert_eq!(*other.get().await.unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_failed_read_is_an_error_and_not_the_absence_of_a_newer_value() {
    let (refreshed, fake) = refreshed();
    let old = refreshed.get().await.unwrap();
    advance(RULES.again).await;
    fake.broken.send_replace(true);
    let before = fake.reads();
    // Later callers get the same error, without another read.
    for _ in 0..3 {
        assert!(refreshed.newer_than(&old).await.is_err());
        assert_eq!(fake.reads(), before + 1);
    }
    assert_eq!(get_without_waiting(&refreshed).await, 1);
    fake.broken.send_replace(false);
    advance(RULES.again).await;
    assert!(refreshed.newer_than(&old).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn callers_wait_no_longer_than_their_deadline() {
    let (refreshed, fake) = refreshed();
    fake.open.send_replace(false);
    let begun = Instant::now();
    assert!(within(begun + SECOND / 4, refreshed.get()).await.is_err());
    assert_eq!(begun.elapsed(), SECOND / 4);
    // The read outlives the request: the next request gets its result.
    fake.open.send_replace(true);
    run_ready_tasks().await;
    assert_eq!((get_without_waiting(&refreshed).await, fake.reads()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_read_that_hangs_times_out_and_is_tried_again() {
    let (refreshed, fake) = refreshed();
    fake.open.send_replace(false);
    let begun = Instant::now();
    assert!(refreshed.get().await.is_err());
    assert_eq!(begun.elapsed(), RULES.wait);
    fake.open.send_replace(true);
    assert_eq!(*refreshed.get().await.unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_read_that_panics_counts_as_failed() {
    let (refreshed, fake) = refreshed();
    fake.panics.send_replace(true);
    assert!(refreshed.get().await.is_err());
    fake.panics.send_replace(false);
    assert_eq!(*refreshed.get().await.unwrap(), 2);
}
