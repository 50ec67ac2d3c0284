//! The proxy: delay, freeze and cut.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use boxoffice_testkit::proxy::Proxy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const ROUND_TRIP: Duration = Duration::from_millis(100);
/// A deadline longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);
/// Long enough for an answer that is not held back.
const SOON: Duration = Duration::from_millis(300);

/// Starts a server that sends every byte back. Returns its address and the count of received bytes.
async fn echo() -> (SocketAddr, tokio::sync::watch::Receiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, received) = tokio::sync::watch::channel(0);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let sender = sender.clone();
            tokio::spawn(async move {
                let mut chunk = [0; 4096];
                while let Ok(count @ 1..) = stream.read(&mut chunk).await {
                    sender.send_modify(|total| *total += count);
                    stream.write_all(&chunk[..count]).await.unwrap();
                }
            });
        }
    });
    (address, received)
}

async fn exchange(stream: &mut TcpStream, byte: u8) {
    stream.write_all(&[byte]).await.unwrap();
    assert_eq!(timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap(), byte);
}

#[tokio::test]
async fn each_round_trip_takes_the_delay() {
    let proxy = Proxy::start(echo().await.0, ROUND_TRIP).await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    let since = Instant::now();
    for byte in 0..5 {
        exchange(&mut stream, byte).await;
    }
    assert!(since.elapsed() >= 5 * ROUND_TRIP, "{:?}", since.elapsed());
}

#[tokio::test]
async fn pipelined_writes_take_one_delay() {
    let proxy = Proxy::start(echo().await.0, ROUND_TRIP).await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    let since = Instant::now();
    for byte in 0..50 {
        stream.write_all(&[byte]).await.unwrap();
        // Apart, so that they are chunks of their own.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    for byte in 0..50 {
        assert_eq!(timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap(), byte);
    }
    // In sequence, they would take 50 delays.
    assert!(since.elapsed() < 25 * ROUND_TRIP, "{:?}", since.elapsed());
}

#[tokio::test]
async fn frozen_proxy_delivers_everything_after_it_resumes() {
    let proxy = Proxy::start(echo().await.0, Duration::ZERO).await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    exchange(&mut stream, 1).await;
    proxy.freeze();
    stream.write_all(&[2]).await.unwrap();
    assert!(timeout(SOON, stream.read_u8()).await.is_err(), "a frozen proxy should pass nothing and stay open");
    let mut late = TcpStream::connect(proxy.address()).await.unwrap();
    late.write_all(&[3]).await.unwrap();
    assert!(timeout(SOON, late.read_u8()).await.is_err(), "a frozen proxy should pass nothing on a new connection");
    proxy.resume();
    assert_eq!(timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap(), 2);
    assert_eq!(timeout(PATIENCE, late.read_u8()).await.unwrap().unwrap(), 3);
}

#[tokio::test]
async fn requests_arrive_while_replies_are_frozen() {
    let (target, mut received) = echo().await;
    let proxy = Proxy::start(target, Duration::ZERO).await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    proxy.freeze_replies();
    stream.write_all(&[1, 2, 3]).await.unwrap();
    timeout(PATIENCE, received.wait_for(|total| *total == 3)).await.unwrap().unwrap();
    assert!(timeout(SOON, stream.read_u8()).await.is_err());
}

#[tokio::test]
async fn cut_closes_open_connections_and_accepts_new_ones() {
    let proxy = Proxy::start(echo().await.0, Duration::ZERO).await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    exchange(&mut stream, 1).await;
    proxy.cut();
    assert!(timeout(PATIENCE, stream.read_u8()).await.unwrap().is_err(), "a cut should end the connection");
    exchange(&mut TcpStream::connect(proxy.address()).await.unwrap(), 2).await;
}

#[tokio::test]
async fn large_transfer_arrives_complete_with_its_end() {
    let proxy = Proxy::start(echo().await.0, Duration::from_millis(2)).await;
    let (mut reader, mut writer) = TcpStream::connect(proxy.address()).await.unwrap().into_split();
    let sent: Vec<u8> = (0..5_000_000_u32).map(|n| (n % 251) as u8).collect();
    let to_send = sent.clone();
    tokio::spawn(async move {
        writer.write_all(&to_send).await.unwrap();
        writer.shutdown().await.unwrap();
    });
    let mut received = Vec::new();
    timeout(PATIENCE, reader.read_to_end(&mut received)).await.unwrap().unwrap();
    assert!(received == sent, "{} of {} bytes", received.len(), sent.len());
}
