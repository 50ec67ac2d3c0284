//! The output of a process, kept for assertions.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::watch;

/// How much of each stream is kept, counted from its end.
const KEPT_BYTES: usize = 1 << 20;

/// The text of a stream so far.
#[derive(Clone)]
pub(super) struct Output {
    bytes: Arc<Mutex<Vec<u8>>>,
    changed: watch::Receiver<()>,
}

impl Output {
    /// Reads the stream to its end, in a task of the current runtime.
    pub(super) fn capture(mut stream: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let (change, changed) = watch::channel(());
        let kept = Arc::clone(&bytes);
        tokio::spawn(async move {
            let mut chunk = vec![0; 8192];
            while let Ok(count @ 1..) = stream.read(&mut chunk).await {
                append(&mut kept.lock().unwrap(), &chunk[..count]);
                // It is fine if nobody waits.
                let _ = change.send(());
            }
        });
        Self { bytes, changed }
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }

    /// Whether `needle` is in the text, now or before `bound` has passed or the stream has ended.
    pub(super) async fn contains(&self, needle: &str, bound: Duration) -> bool {
        let mut changed = self.changed.clone();
        let found = async {
            loop {
                changed.borrow_and_update();
                if self.text().contains(needle) {
                    return true;
                }
                if changed.changed().await.is_err() {
                    return self.text().contains(needle);
                }
            }
        };
        tokio::time::timeout(bound, found).await.unwrap_or(false)
    }

    /// Waits until the stream is read to its end, at most for `bound`: a grandchild may hold it open.
    pub(super) async fn ended(&self, bound: Duration) {
        let mut changed = self.changed.clone();
        let _ = tokio::time::timeout(bound, async { while changed.changed().await.is_ok() {} }).await;
    }
}

/// Cuts only at twice the size, so that a byte is moved at most once.
fn append(kept: &mut Vec<u8>, chunk: &[u8]) {
    kept.extend_from_slice(chunk);
    if kept.len() > 2 * KEPT_BYTES {
        kept.drain(..kept.len() - KEPT_BYTES);
    }
}
