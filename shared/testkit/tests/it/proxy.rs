//! The proxy: its delay, its freeze, its cut.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use boxoffice_testkit::proxy::Proxy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const ROUND_TRIP: Duration = Duration::from_millis(100);
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);
/// Long enough for an answer that nothing holds back.
const SOON: Duration = Duration::from_millis(300);

/// Sends back what it gets, and counts it.
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
async fn what_is_sent_in_a_row_takes_one_delay() {
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
    // One delay after another would take 50 of them.
    assert!(since.elapsed() < 25 * ROUND_TRIP, "{:?}", since.elapsed());
}

#[tokio::test]
async fn frozen_nothing_passes_and_then_all_of_it() {
    let proxy = Proxy::start(echo().await.0, Duration::ZERO).await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    exchange(&mut stream, 1).await;
    proxy.freeze();
    stream.write_all(&[2]).await.unwrap();
    assert!(timeout(SOON, stream.read_u8()).await.is_err(), "nothing while frozen, no end either");
    let mut late = TcpStream::connect(proxy.address()).await.unwrap();
    late.write_all(&[3]).await.unwrap();
    assert!(timeout(SOON, late.read_u8()).await.is_err(), "nor for a new connection");
    proxy.resume();
    assert_eq!(timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap(), 2);
    assert_eq!(timeout(PATIENCE, late.read_u8()).await.unwrap().unwrap(), 3);
}

#[tokio::test]
async fn with_replies_frozen_requests_still_arrive() {
    let (target, mut received) = echo().await;
    let proxy = Proxy::start(target, Duration::ZERO).await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    proxy.freeze_replies();
    stream.write_all(&[1, 2, 3]).await.unwrap();
    timeout(PATIENCE, received.wait_for(|total| *total == 3)).await.unwrap().unwrap();
    assert!(timeout(SOON, stream.read_u8()).await.is_err());
}

#[tokio::test]
async fn a_cut_ends_open_connections_and_lets_new_ones_in() {
    let proxy = Proxy::start(echo().await.0, Duration::ZERO).await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    exchange(&mut stream, 1).await;
    proxy.cut();
    assert!(timeout(PATIENCE, stream.read_u8()).await.unwrap().is_err(), "the end of the connection");
    exchange(&mut TcpStream::connect(proxy.address()).await.unwrap(), 2).await;
}

#[tokio::test]
async fn much_data_arrives_whole_with_its_end() {
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
