//! A TCP proxy that counts round trips and records when they happen.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// Forwards connections to a loopback port and counts how often a client sends after the server did: everything that is
/// sent together is one round trip.
pub(crate) struct Turns {
    port: u16,
    seen: Arc<Seen>,
    accepting: AbortHandle,
}

#[derive(Default)]
struct Seen {
    turns: AtomicU64,
    accepted: Mutex<Option<Instant>>,
    replied: Mutex<Option<Instant>>,
}

impl Turns {
    /// Starts a proxy to `port`.
    pub(crate) async fn start(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let own_port = listener.local_addr().expect("a bound socket").port();
        let seen = Arc::new(Seen::default());
        let seeing = Arc::clone(&seen);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                *seeing.accepted.lock().expect("nobody panics") = Some(Instant::now());
                // A connection ends when either side closes it.
                tokio::spawn(forward(client, port, Arc::clone(&seeing)));
            }
        });
        Self { port: own_port, seen, accepting: accepting.abort_handle() }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The number of round trips so far, including those that open a connection.
    pub(crate) fn count(&self) -> u64 {
        self.seen.turns.load(Ordering::Relaxed)
    }

    /// When the last connection was opened.
    pub(crate) fn accepted(&self) -> Option<Instant> {
        *self.seen.accepted.lock().expect("nobody panics")
    }

    /// When the server last sent something.
    pub(crate) fn replied(&self) -> Option<Instant> {
        *self.seen.replied.lock().expect("nobody panics")
    }
}

impl Drop for Turns {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn forward(mut client: TcpStream, port: u16, seen: Arc<Seen>) -> std::io::Result<()> {
    let mut server = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let server_spoke = AtomicBool::new(true);
    let requests = async {
        let mut chunk = vec![0; 64 * 1024];
        loop {
            let length = from_client.read(&mut chunk).await?;
            if length == 0 {
                return to_server.shutdown().await;
            }
            if server_spoke.swap(false, Ordering::Relaxed) {
                seen.turns.fetch_add(1, Ordering::Relaxed);
            }
            to_server.write_all(&chunk[..length]).await?;
        }
    };
    let replies = async {
        let mut chunk = vec![0; 64 * 1024];
        loop {
            let length = from_server.read(&mut chunk).await?;
            if length == 0 {
                return to_client.shutdown().await;
            }
            server_spoke.store(true, Ordering::Relaxed);
            *seen.replied.lock().expect("nobody panics") = Some(Instant::now());
            to_client.write_all(&chunk[..length]).await?;
        }
    };
    tokio::try_join!(requests, replies).map(drop)
}
