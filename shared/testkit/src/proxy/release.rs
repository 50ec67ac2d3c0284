//! Hands on each chunk a set time after it came.

use std::sync::mpsc as std_mpsc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc;

/// A thread that sleeps until the next chunk is due. A thread, because tokio's timer counts whole milliseconds, and half
/// of a round trip of 1 ms is less than that; one for all connections, because with one delay for all, what came first
/// is due first. It ends when the proxy and its connections are gone.
#[derive(Clone)]
pub(super) struct Releaser {
    delay: Duration,
    queue: Option<std_mpsc::Sender<Delayed>>,
}

struct Delayed {
    due: Instant,
    chunk: Bytes,
    to: mpsc::UnboundedSender<Bytes>,
}

impl Releaser {
    pub(super) fn new(delay: Duration) -> Self {
        let queue = (!delay.is_zero()).then(|| {
            let (sender, receiver) = std_mpsc::channel();
            std::thread::Builder::new().name("proxy-delay".into()).spawn(move || release(&receiver)).unwrap();
            sender
        });
        Self { delay, queue }
    }

    /// Sends `chunk` to `to` after the delay, in order.
    pub(super) fn release_later(&self, chunk: Bytes, to: &mpsc::UnboundedSender<Bytes>) {
        // Whoever does not receive any more has closed the connection.
        let Some(queue) = &self.queue else { return drop(to.send(chunk)) };
        let _ = queue.send(Delayed { due: Instant::now() + self.delay, chunk, to: to.clone() });
    }
}

fn release(queue: &std_mpsc::Receiver<Delayed>) {
    while let Ok(delayed) = queue.recv() {
        std::thread::sleep(delayed.due.saturating_duration_since(Instant::now()));
        let _ = delayed.to.send(delayed.chunk);
    }
}
