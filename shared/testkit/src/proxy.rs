//! A TCP proxy on loopback that adds delay, freezes and cuts: a network that is far away, or gone.

mod line;
mod release;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use line::Line;
use release::Releaser;

/// Forwards connections to `target`. It belongs to the tokio runtime that started it. Dropped: all are closed.
///
/// Each chunk is delayed from its own arrival: what is sent in a row arrives in a row, and takes one delay, not several.
pub struct Proxy {
    address: SocketAddr,
    switches: watch::Sender<Switches>,
    heard: Arc<AtomicU64>,
    accepting: AbortHandle,
}

/// What is held back now.
#[derive(Clone, Copy, Default)]
struct Switches {
    requests_frozen: bool,
    replies_frozen: bool,
    /// Counts the cuts: a connection ends when it changes.
    cuts: u64,
}

impl Proxy {
    /// Listens on a free loopback port. `round_trip` is added to each round trip, half of it each way; what comes on
    /// top of it is the work of the proxy itself: measured 0.4 ms on a busy machine, so measure it beside a figure.
    pub async fn start(target: SocketAddr, round_trip: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let address = listener.local_addr().unwrap();
        let switches = watch::Sender::new(Switches::default());
        let releaser = Releaser::new(round_trip / 2);
        let heard = Arc::default();
        let accept = accept(listener, target, releaser, switches.subscribe(), Arc::clone(&heard));
        Self { address, switches, heard, accepting: tokio::spawn(accept).abort_handle() }
    }

    /// In front of a loopback port, such as a database's, with no delay.
    pub async fn to_port(port: u16) -> Self {
        Self::start(SocketAddr::from(([127, 0, 0, 1], port)), Duration::ZERO).await
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Stops forwarding both ways: to both sides the other looks dead, with no end of the connection to be seen. New
    /// connections are still accepted, as by the kernel of a host whose process stands still.
    pub fn freeze(&self) {
        self.switches.send_modify(|switches| (switches.requests_frozen, switches.replies_frozen) = (true, true));
    }

    /// Stops forwarding what the target says: what is asked for is still done, and nobody learns of it.
    pub fn freeze_replies(&self) {
        self.switches.send_modify(|switches| switches.replies_frozen = true);
    }

    /// How often a client was heard to say something, of which a part may be held back: a request that was frozen on its
    /// way has left its sender when this has grown.
    pub fn heard(&self) -> u64 {
        self.heard.load(Ordering::Relaxed)
    }

    /// Forwards again, first what was held back.
    pub fn resume(&self) {
        self.switches.send_modify(|switches| (switches.requests_frozen, switches.replies_frozen) = (false, false));
    }

    /// Closes every connection that is open now; what was held back or delayed is lost.
    pub fn cut(&self) {
        self.switches.send_modify(|switches| switches.cuts += 1);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(
    listener: TcpListener,
    target: SocketAddr,
    releaser: Releaser,
    switches: watch::Receiver<Switches>,
    heard: Arc<AtomicU64>,
) {
    // In a set: aborting this task aborts the connections with it.
    let mut connections = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.expect("accept should work on loopback");
        connections.spawn(forward(client, target, releaser.clone(), switches.clone(), Arc::clone(&heard)));
        while connections.try_join_next().is_some() {}
    }
}

/// Both directions of one connection. An error of one, or a cut, ends both; the end of one alone does not.
async fn forward(
    client: TcpStream,
    target: SocketAddr,
    releaser: Releaser,
    switches: watch::Receiver<Switches>,
    heard: Arc<AtomicU64>,
) {
    let Ok(server) = TcpStream::connect(target).await else { return };
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut cut = switches.clone();
    let cuts = cut.borrow_and_update().cuts;
    let requests = Line::new(releaser.clone(), switches.clone(), |switches| switches.requests_frozen, heard);
    let replies = Line::new(releaser, switches, |switches| switches.replies_frozen, Arc::default());
    tokio::select! {
        _ = async { tokio::try_join!(requests.carry(from_client, to_server), replies.carry(from_server, to_client)) } => {}
        _ = cut.wait_for(|switches| switches.cuts != cuts) => {}
    }
}
