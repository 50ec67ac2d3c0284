//! Endpoints that do not answer, for the failures that a network makes.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};
use tokio::task::AbortHandle;

/// Accepts connections and never says a word. Dropped: closes them all.
pub struct BlackHole {
    address: SocketAddr,
    accepting: AbortHandle,
}

impl BlackHole {
    /// Listens on a free loopback port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let address = listener.local_addr().unwrap();
        let accepting = tokio::spawn(async move {
            let mut held = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                held.push(stream);
            }
        });
        Self { address, accepting: accepting.abort_handle() }
    }

    /// Its address; for anything over TCP, a database too.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// For `AWS_ENDPOINT_URL`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// For `HOLD_QUEUE_URL`.
    pub fn queue_url(&self) -> String {
        format!("{}/000000000000/holds", self.endpoint())
    }
}

impl Drop for BlackHole {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Refuses every connection, on a port that nobody else is given meanwhile.
pub struct Refusing {
    address: SocketAddr,
    /// Bound and not listening: that is what refuses.
    _socket: TcpSocket,
}

impl Refusing {
    /// Takes a free loopback port.
    pub fn start() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a loopback port");
        Self { address: socket.local_addr().unwrap(), _socket: socket }
    }

    /// Its address; for anything over TCP, a database too.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// For `AWS_ENDPOINT_URL`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// For `HOLD_QUEUE_URL`.
    pub fn queue_url(&self) -> String {
        format!("{}/000000000000/holds", self.endpoint())
    }
}
