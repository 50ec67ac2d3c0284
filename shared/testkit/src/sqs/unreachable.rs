//! Endpoints that do not respond, to simulate network failures.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};
use tokio::task::AbortHandle;

/// Accepts connections and never responds. It closes them all on drop.
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

    /// Its address, for any protocol over TCP, such as a database's.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The value for `AWS_ENDPOINT_URL`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The value for `HOLD_QUEUE_URL`.
    pub fn queue_url(&self) -> String {
        format!("{}/000000000000/holds", self.endpoint())
    }
}

impl Drop for BlackHole {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Refuses every connection, on a port that it keeps reserved.
pub struct Refusing {
    address: SocketAddr,
    /// Bound but not listening, so the kernel refuses connections.
    _socket: TcpSocket,
}

impl Refusing {
    /// Reserves a free loopback port.
    pub fn start() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a loopback port");
        Self { address: socket.local_addr().unwrap(), _socket: socket }
    }

    /// Its address, for any protocol over TCP, such as a database's.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The value for `AWS_ENDPOINT_URL`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The value for `HOLD_QUEUE_URL`.
    pub fn queue_url(&self) -> String {
        format!("{}/000000000000/holds", self.endpoint())
    }
}
