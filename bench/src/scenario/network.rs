//! The statements over a slower network: 1 ms more per round trip.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use boxoffice_testkit::proxy::Proxy;

use crate::bench::Bench;
use crate::measure::stats::Latency;
use crate::report::{Report, Section, Target};

use super::statements::{FIVE, LIMIT, OURS, find, make, rounds_of, table};

const ROUND_TRIP: Duration = Duration::from_millis(1);
/// The number of round trips that are measured.
const PINGS: usize = 200;

/// Measures ours, the limit and five statements, at 50 and 200 connections.
pub(super) async fn run(bench: &Bench, postmaster: u32, report: &mut Report) {
    let mut section = Section::new("network", "The statements alone, with 1 ms added to each round trip");
    let proxy = Proxy::start(SocketAddr::from(([127, 0, 0, 1], bench.server.port())), ROUND_TRIP).await;
    let direct = ping(bench, bench.server.port()).await;
    let through = ping(bench, proxy.port()).await;
    section.note(&format!(
        "A TCP proxy on this machine delays both directions; the server lacks the processor time that the proxy \
         takes. Round trip of an empty statement on an idle server: {:.2} ms direct, {:.2} ms through the proxy \
         (medians of {PINGS}).",
        direct.p50_ms, through.p50_ms
    ));
    let mut subjects = make(bench, &[LIMIT, OURS, FIVE]).await;
    for (connections, rounds) in bench.pick(&[(50, 2), (200, 1)][..], &[(16, 1)][..]) {
        rounds_of(bench, postmaster, &mut subjects, *connections, *rounds, proxy.port()).await;
        section.table(table(&format!("{connections} connections, 1 ms"), &subjects));
        let ratio = find(&subjects, &OURS).ratio_to(find(&subjects, &FIVE));
        let what = format!("hot show / five statements, 1 ms per round trip, {connections} connections");
        report.target(Target::at_least(&what, 20.0, ratio));
    }
    report.add(section);
}

async fn ping(bench: &Bench, port: u16) -> Latency {
    let url = format!("postgres://postgres@127.0.0.1:{port}/postgres?sslmode=disable");
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.expect("a connection");
    tokio::spawn(connection);
    let mut micros = Vec::with_capacity(PINGS);
    for _ in 0..bench.pick(PINGS, PINGS / 10) {
        let since = Instant::now();
        client.batch_execute("").await.expect("an empty statement");
        micros.push(since.elapsed().as_micros() as u64);
    }
    Latency::of(micros)
}
