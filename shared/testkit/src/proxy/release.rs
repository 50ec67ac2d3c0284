//! Releases each chunk a fixed time after its arrival.

use std::sync::mpsc as std_mpsc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc;

/// A thread that sleeps until the next chunk is due. It is a thread because tokio's timer counts whole milliseconds,
/// and half of a 1 ms round trip is less. One thread serves all connections: the delay is the same for all, so the
/// first chunk in is the first one due. It ends when the proxy and its connections are gone.
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

    /// Sends `chunk` to `to` after the delay. Chunks keep their order.
    pub(super) fn release_later(&self, chunk: Bytes, to: &mpsc::UnboundedSender<Bytes>) {
        // A receiver that is gone means that the connection is closed.
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
