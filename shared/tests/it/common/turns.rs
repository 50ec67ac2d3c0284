//! Counts round trips on the wire.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// A proxy in front of a loopback port that counts round trips. A round trip begins when the client sends after the
/// server did: everything that the client sends without waiting for an answer counts once, in however many packets.
pub struct Turns {
    port: u16,
    count: Arc<AtomicU64>,
}

impl Turns {
    /// Starts the proxy. It serves connections until the runtime ends.
    pub async fn start(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let count = Arc::new(AtomicU64::new(0));
        let turns = count.clone();
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = TcpStream::connect(("127.0.0.1", target)).await.unwrap();
                let server_spoke = Arc::new(AtomicBool::new(true));
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                let (spoke, turns) = (server_spoke.clone(), turns.clone());
                tokio::spawn(carry(from_client, to_server, move || {
                    turns.fetch_add(u64::from(spoke.swap(false, Ordering::SeqCst)), Ordering::SeqCst);
                }));
                tokio::spawn(carry(from_server, to_client, move || server_spoke.store(true, Ordering::SeqCst)));
            }
        });
        Self { port, count }
    }

    /// Returns the port that the proxy listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the number of round trips so far.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }
}

async fn carry(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, seen: impl Fn()) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(bytes @ 1..) = from.read(&mut buffer).await {
        seen();
        if to.write_all(&buffer[..bytes]).await.is_err() {
            return;
        }
    }
}
