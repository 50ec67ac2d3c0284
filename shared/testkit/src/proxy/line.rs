//! One direction of a connection.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Semaphore, mpsc, watch};

use super::Switches;
use super::release::Releaser;

/// The maximum size of a read.
const CHUNK_BYTES: usize = 16 * 1024;
/// The maximum number of chunks in transit, 16 MiB in total. Then the reader waits, as with a full TCP window.
const CHUNKS: usize = 1024;

/// One direction of a connection: reads, delays and writes chunks.
pub(super) struct Line {
    releaser: Releaser,
    switches: watch::Receiver<Switches>,
    frozen: fn(&Switches) -> bool,
    /// Counts the chunks read, including those held back.
    heard: Arc<AtomicU64>,
}

impl Line {
    pub(super) fn new(
        releaser: Releaser,
        switches: watch::Receiver<Switches>,
        frozen: fn(&Switches) -> bool,
        heard: Arc<AtomicU64>,
    ) -> Self {
        Self { releaser, switches, frozen, heard }
    }

    /// Forwards until an error or the end of `from`, which it forwards too.
    pub(super) async fn carry(self, from: OwnedReadHalf, to: OwnedWriteHalf) -> io::Result<()> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let room = Semaphore::new(CHUNKS);
        let read = read(from, &self.releaser, sender, &room, &self.heard);
        let write = write(receiver, to, self.switches, self.frozen, &room);
        tokio::try_join!(read, write).map(drop)
    }
}

/// Reads chunks. An empty chunk marks the end.
async fn read(
    mut from: OwnedReadHalf,
    releaser: &Releaser,
    sender: mpsc::UnboundedSender<Bytes>,
    room: &Semaphore,
    heard: &AtomicU64,
) -> io::Result<()> {
    loop {
        room.acquire().await.expect("never closed").forget();
        let mut chunk = BytesMut::with_capacity(CHUNK_BYTES);
        let count = from.read_buf(&mut chunk).await?;
        heard.fetch_add(1, Ordering::Relaxed);
        releaser.release_later(chunk.freeze(), &sender);
        if count == 0 {
            return Ok(());
        }
    }
}

async fn write(
    mut chunks: mpsc::UnboundedReceiver<Bytes>,
    mut to: OwnedWriteHalf,
    mut switches: watch::Receiver<Switches>,
    frozen: fn(&Switches) -> bool,
    room: &Semaphore,
) -> io::Result<()> {
    while let Some(chunk) = chunks.recv().await {
        if switches.wait_for(|switches| !frozen(switches)).await.is_err() {
            return Ok(()); // the proxy is gone
        }
        if chunk.is_empty() {
            return to.shutdown().await;
        }
        to.write_all(&chunk).await?;
        room.add_permits(1);
    }
    Ok(())
}
