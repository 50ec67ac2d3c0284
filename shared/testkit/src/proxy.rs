//! A TCP proxy on loopback that simulates a network that is slow, frozen or cut.

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

/// Forwards connections to `target`. It runs on the tokio runtime that started it, and closes all connections on drop.
///
/// Each chunk is delayed from its own arrival, so chunks that are sent in a row arrive in a row, after one delay in
/// total.
pub struct Proxy {
    address: SocketAddr,
    switches: watch::Sender<Switches>,
    heard: Arc<AtomicU64>,
    accepting: AbortHandle,
}

/// What is held back.
#[derive(Clone, Copy, Default)]
struct Switches {
    requests_frozen: bool,
    replies_frozen: bool,
    /// The number of cuts. A connection ends when it changes.
    cuts: u64,
}

impl Proxy {
    /// Listens on a free loopback port. `round_trip` is added to each round trip, half of it each way. The proxy itself
    /// adds some more (0.4 ms on a busy machine), so measure that beside your figure.
    pub async fn start(target: SocketAddr, round_trip: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let address = listener.local_addr().unwrap();
        let switches = watch::Sender::new(Switches::default());
        let releaser = Releaser::new(round_trip / 2);
        let heard = Arc::default();
        let accept = accept(listener, target, releaser, switches.subscribe(), Arc::clone(&heard));
        Self { address, switches, heard, accepting: tokio::spawn(accept).abort_handle() }
    }

    /// Starts a proxy to a loopback port, such as a database's, without a delay.
    pub async fn to_port(port: u16) -> Self {
        Self::start(SocketAddr::from(([127, 0, 0, 1], port)), Duration::ZERO).await
    }

    /// The address on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port on which it listens.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Stops forwarding in both directions: each side looks dead to the other, and the connection does not end. New
    /// connections are still accepted, as by the kernel of a host whose process hangs.
    pub fn freeze(&self) {
        self.switches.send_modify(|switches| (switches.requests_frozen, switches.replies_frozen) = (true, true));
    }

    /// Stops forwarding the target's replies: requests still take effect, and the client does not learn of it.
    pub fn freeze_replies(&self) {
        self.switches.send_modify(|switches| switches.replies_frozen = true);
    }

    /// The number of chunks received from clients, including those held back. When it grows while the proxy is frozen,
    /// a request has left its client.
    pub fn heard(&self) -> u64 {
        self.heard.load(Ordering::Relaxed)
    }

    /// Forwards again, starting with what was held back.
    pub fn resume(&self) {
        self.switches.send_modify(|switches| (switches.requests_frozen, switches.replies_frozen) = (false, false));
    }

    /// Closes every open connection. What was held back or delayed is lost.
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
    // Aborting this task drops the set, which aborts the connections.
    let mut connections = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.expect("accept should work on loopback");
        connections.spawn(forward(client, target, releaser.clone(), switches.clone(), Arc::clone(&heard)));
        while connections.try_join_next().is_some() {}
    }
}

/// Forwards both directions of a connection. A cut, or an error in one direction, ends both; the end of one direction
/// does not.
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
