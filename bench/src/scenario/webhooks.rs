//! Payments compared with bookings: signed webhooks through the real `confirm` binary, each for its own booking of one
//! hot show; and the statement `payments/record.sql` alone, by pgbench. Both are compared with `book`, in turn in one
//! run.

use std::sync::Arc;
use std::time::Duration;

use boxoffice_testkit::events::api_event;
use boxoffice_testkit::postgres::Database;
use boxoffice_testkit::sqs::FixedDelayQueue;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;

use crate::bench::{Bench, check};
use crate::measure::stats::median;
use crate::report::{Bars, Cell, Report, Section, Table};
use crate::shows::{self, Rows};

use super::fleet::{Fleet, Load, STRIPE_SECRET, Work};
use super::statements::OURS;
use super::subject::{Layout, Plan, Subject};

/// The same text that the Lambda runs.
const RECORD_PAYMENT: Plan = Plan {
    name: "payments/record.sql, one hot show",
    sql: include_str!("../../../shared/src/payments/record.sql"),
    schema: None,
    layout: Layout::Held,
    every_round: true,
};
/// The approximate response time of SQS. Only `book` sends messages.
const QUEUE: Duration = Duration::from_millis(10);
/// The start of the response to a webhook whose event was accepted.
const TAKEN: &[u8] = br#"{"statusCode":200"#;

/// Measures 50 instances and 50 connections.
pub(super) async fn run(bench: &Bench, postmaster: u32, report: &mut Report) {
    let mut section = Section::new("webhooks", "Webhooks per second compared with bookings per second");
    section.note(
        "Each webhook is signed, reports its own payment, and confirms its own booking of one hot show. Figures count \
         rows: events that confirmed a booking, and bookings. Each round runs all four subjects, one after another; \
         figures and ratios are medians of the rounds. All of them share this machine's processors.",
    );
    match measured(bench, postmaster, &mut section).await {
        Ok(()) => {}
        Err(why) => section.note(&why),
    }
    report.add(section);
}

async fn measured(bench: &Bench, postmaster: u32, section: &mut Section) -> Result<(), String> {
    let count = bench.pick(50, 2);
    let length = Duration::from_millis(bench.pick(1500, 300));
    let (book, confirm) = (bench.binary("book")?, bench.binary("confirm")?);
    let queue = FixedDelayQueue::start(QUEUE).await;
    let database = bench.database().await;
    shows::create_past(&database.admin_client().await).await;
    let bookers = Fleet::start(&book, count, &database.url(), &queue).await?;
    let confirmers = Fleet::start(&confirm, count, &database.url(), &queue).await?;
    let (mut booking, mut paying) = (Subject::new(bench, OURS).await, Subject::new(bench, RECORD_PAYMENT).await);
    let (mut booked, mut paid) = (Vec::new(), Vec::new());
    let rounds = bench.pick(3, 1);
    for round in 1..=rounds {
        booking.measure(bench, postmaster, bench.server.port(), count).await;
        paying.measure(bench, postmaster, bench.server.port(), count).await;
        let admin = database.admin_client().await;
        let show = shows::create(&admin, 1, shows::default_pools(shows::SEATS)).await;
        booked.push(checked(&database, bookers.load(&database, postmaster, count, show, 1, length).await).await?);
        let held = shows::create_held(&admin, count).await;
        let load = confirmers.load_with(&database, postmaster, count, webhooks(held), length).await;
        paid.push(checked(&database, load).await?);
        bench.say(&format!("  round {round} of {rounds}"));
    }
    if let Some(why) = booking.broken.as_ref().or(paying.broken.as_ref()) {
        return Err(why.clone());
    }
    let through = median(paid.iter().zip(&booked).map(|(paid, booked)| paid.bookings_per_s / booked.bookings_per_s));
    let alone = paying.ratio_to(&booking);
    for (what, ratio) in [("through the Lambdas", through), ("statements alone", alone)] {
        let ratio = ratio.map_or("no figure".into(), |ratio| format!("{ratio:.2}"));
        bench.say(&format!("  webhooks per second / bookings per second, {what}: {ratio}"));
    }
    section.bars(bars(&booked, &paid, &booking, &paying));
    section.table(lambdas(count, &booked, &paid, through));
    section.table(statements(count, &booking, &paying, alone));
    Ok(())
}

async fn checked(database: &Database, load: Result<Load, String>) -> Result<Load, String> {
    let load = load?;
    check(database).await?;
    if load.refused > 0 {
        return Err(format!("broken: {} responses were not successful", load.refused));
    }
    Ok(load)
}

/// Stripe webhooks that pay for the show's holds, one after another.
fn webhooks(show: i64) -> Work {
    Work { event: Arc::new(move |client, n| webhook(show, client, n + 1)), answer: TAKEN, rows: Rows::Payments }
}

/// A webhook as API Gateway sends it, signed now.
fn webhook(show: i64, client: usize, n: usize) -> Bytes {
    let payment = format!("pi_{show}_{client}_{n}");
    let now = jiff::Timestamp::now().as_second();
    let body = json!({
        "id": format!("evt_{payment}"), "object": "event", "type": "payment_intent.succeeded", "created": now,
        "data": {"object": {
            "id": payment, "object": "payment_intent", "amount_received": 5000, "currency": "eur",
            "description": "x".repeat(1_200), "metadata": {"booking_id": shows::hold_id(show, client, n)},
        }},
    })
    .to_string();
    let mut hmac = Hmac::<Sha256>::new_from_slice(STRIPE_SECRET.as_bytes()).expect("HMAC takes a key of any length");
    hmac.update(format!("{now}.{body}").as_bytes());
    let signature = format!("t={now},v1={}", hex::encode(hmac.finalize().into_bytes()));
    let headers = [("Stripe-Signature", signature.as_str()), ("Content-Type", "application/json")];
    api_event("POST", "/webhooks/payments/stripe", &[], &[], &headers, Some(&body)).to_string().into()
}

fn bars(booked: &[Load], paid: &[Load], booking: &Subject, paying: &Subject) -> Bars {
    let mut bars = Bars::new("Bookings and webhooks per second", "rows/s");
    let rate = |loads: &[Load]| median(loads.iter().map(|load| load.bookings_per_s));
    bars.group("through the Lambdas", &[("bookings".to_owned(), rate(booked)), ("webhooks".to_owned(), rate(paid))]);
    let figures = [("bookings", booking.bookings_per_s()), ("webhooks", paying.bookings_per_s())];
    bars.group("the statements alone", &figures.map(|(name, figure)| (name.to_owned(), figure)));
    bars
}

fn lambdas(count: usize, booked: &[Load], paid: &[Load], ratio: Option<f64>) -> Table {
    let columns = [
        "",
        "rows/s",
        "of bookings",
        "p50 ms",
        "p99 ms",
        "function CPU µs",
        "server CPU µs",
        "machine busy",
        "waits for a row",
    ];
    let mut table = Table::new(&format!("{count} instances of each, one after the other"), &columns);
    for (name, loads, ratio) in [("book", booked, Some(1.0)), ("confirm, by signed webhooks", paid, ratio)] {
        let of = |figure: fn(&Load) -> f64| median(loads.iter().map(figure));
        table.row(vec![
            Cell::text(name),
            Cell::number(of(|load| load.bookings_per_s), 0),
            Cell::number(ratio, 2),
            Cell::number(of(|load| load.latency.p50_ms), 1),
            Cell::number(of(|load| load.latency.p99_ms), 1),
            Cell::number(of(|load| load.book_cpu_us), 0),
            Cell::number(of(|load| load.server_cpu_us), 0),
            Cell::percent(of(|load| load.busy)),
            Cell::percent(of(|load| load.waits.row_lock)),
        ]);
    }
    table
}

fn statements(count: usize, booking: &Subject, paying: &Subject, ratio: Option<f64>) -> Table {
    let columns = ["", "rows/s", "of bookings", "p50 ms", "p99 ms", "server CPU µs", "machine busy", "waits for a row"];
    let mut table = Table::new(&format!("The statements alone, {count} connections of pgbench"), &columns);
    for (name, subject, ratio) in [("book/own_pool.sql", booking, Some(1.0)), ("payments/record.sql", paying, ratio)] {
        let latency = subject.latency();
        table.row(vec![
            Cell::text(name),
            Cell::number(subject.bookings_per_s(), 0),
            Cell::number(ratio, 2),
            Cell::number(Some(latency.p50_ms), 1),
            Cell::number(Some(latency.p99_ms), 1),
            Cell::number(subject.median(|run| run.server_cpu_us), 0),
            Cell::percent(subject.median(|run| run.busy)),
            Cell::percent(subject.median(|run| run.waits.row_lock)),
        ]);
    }
    table
}
