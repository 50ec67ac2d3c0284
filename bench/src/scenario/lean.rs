//! The cost of an instance of each Lambda, compared with an empty function built with the same profile.

use std::path::{Path, PathBuf};
use std::time::Instant;

use boxoffice_testkit::events::{api_event, schedule_event, sqs_event, with_token};
use boxoffice_testkit::lambda::Instance;
use boxoffice_testkit::postgres::{Database, Server};
use boxoffice_testkit::sqs::FixedDelayQueue;
use serde_json::{Value, json};

use crate::bench::{Bench, server_options};
use crate::measure::stats::median;
use crate::measure::turns::Turns;
use crate::report::{Bars, Cell, Report, Section, Table, Target};
use crate::shows;

use super::start::{self, Started};

const EMPTY: &str = "echo-function";
const NAMES: [&str; 9] =
    [EMPTY, "list-shows", "book", "bookings", "confirm", "admin", "expire-holds", "sweep-holds", "confirm-payments"];
const MB: f64 = 1_000_000.0;

/// The figures of one start, or the medians of several.
struct Start {
    ready_ms: f64,
    answered_ms: f64,
    memory_mb: f64,
    call_cpu_us: f64,
}

/// Starts all Lambdas in turn, repeatedly.
pub(super) async fn run(bench: &Bench, report: &mut Report) {
    let mut section = Section::new("lean", "What an instance costs");
    if let Err(why) = measured(bench, report, &mut section).await {
        section.note(&why);
    }
    report.add(section);
}

async fn measured(bench: &Bench, report: &mut Report, section: &mut Section) -> Result<(), String> {
    let binaries = NAMES.iter().map(|name| bench.binary(name)).collect::<Result<Vec<_>, _>>()?;
    // With TLS and a password as in production, since connecting is part of the start; and without, to see their cost.
    let server = Server::start(&server_options().tls().password());
    let place = Place::new(&server, Some(server.ca_file())).await;
    let plain = Place::new(&bench.server, None).await;
    let starts = bench.pick(11, 3);
    let mut found: Vec<Vec<Start>> = NAMES.iter().map(|_| Vec::new()).collect();
    let mut plains: Vec<Vec<Start>> = NAMES.iter().map(|_| Vec::new()).collect();
    for round in 0..starts {
        for (index, name) in NAMES.iter().enumerate() {
            // The sweep also checks the invariants of every show, so three calls are enough.
            let calls = if *name == "sweep-holds" { 3 } else { bench.pick(200, 10) };
            found[index].push(place.start(name, &binaries[index], calls).await?);
            plains[index].push(plain.start(name, &binaries[index], 1).await?);
        }
        if (round + 1) % 5 == 0 || round + 1 == starts {
            bench.say(&format!("  {} of {starts} starts of each", round + 1));
        }
    }
    section.note(&format!(
        "Medians of {starts} starts each, in turn. The database requires TLS and a password (SCRAM), and the \
         functions verify its certificate. `{EMPTY}` is lambda_runtime with a handler that returns its event. An \
         event is waiting when the process starts, so the first response is the cold start that a user would see, \
         without AWS's own part. Memory is the peak resident size; CPU is per warm call.",
    ));
    let medians: Vec<Start> = found.iter().map(|starts| middle(starts)).collect();
    section.bars(bars(&medians));
    let plains: Vec<Start> = plains.iter().map(|starts| middle(starts)).collect();
    section.table(table(&medians, &plains, &binaries));
    targets(report, &medians, &plains, &binaries);
    let turns = Turns::start(server.port()).await;
    let functions: Vec<Started<'_>> = NAMES
        .iter()
        .zip(&binaries)
        .map(|(name, binary)| Started {
            name,
            binary,
            env: place.env_through(turns.port()),
            event: place.event(name).to_string().into(),
        })
        .collect();
    section.table(start::profile(&functions, &turns, bench.pick(7, 1)).await?);
    Ok(())
}

/// The environment of the instances: a database, a queue and a show.
struct Place {
    database: Database,
    env: Vec<(&'static str, String)>,
    show: i64,
    _queue: FixedDelayQueue,
}

impl Place {
    async fn new(server: &Server, ca_file: Option<PathBuf>) -> Self {
        let database: Database = server.create_database().await;
        let admin = database.admin_client().await;
        shows::create_past(&admin).await;
        let show = shows::create(&admin, 20, shows::default_pools(shows::SEATS)).await;
        let queue = FixedDelayQueue::start(std::time::Duration::ZERO).await;
        let ssl_mode = if ca_file.is_some() { "require" } else { "disable" };
        let env = vec![
            ("DATABASE_URL", database.url_at(database.port(), ssl_mode)),
            // An empty variable counts as unset.
            ("DATABASE_CA_FILE", ca_file.map(|path| path.display().to_string()).unwrap_or_default()),
            ("HOLD_QUEUE_URL", queue.queue_url()),
            ("PAYMENTS_QUEUE_URL", queue.queue_url()),
            ("AWS_ENDPOINT_URL", queue.endpoint()),
            // Here the same buyer books repeatedly.
            ("MAX_PENDING_SEATS_PER_HOLDER", "1000000".to_owned()),
            ("MAX_SEATS_PER_HOLDER", "1000000".to_owned()),
            // As the template sets it.
            ("SSL_CERT_FILE", "/dev/null".to_owned()),
        ];
        Self { database, env, show, _queue: queue }
    }

    /// The environment of an instance that connects to the database through another port.
    fn env_through(&self, port: u16) -> Vec<(&'static str, String)> {
        let mut env = self.env.clone();
        // The last value of a name counts.
        env.push(("DATABASE_URL", self.database.url_at(port, "require")));
        env
    }

    async fn start(&self, name: &str, binary: &Path, calls: u32) -> Result<Start, String> {
        let event = self.event(name);
        let payload = bytes::Bytes::from(event.to_string());
        let broken = |error: boxoffice_testkit::lambda::InvokeError| format!("broken: {name}: {error}");
        let builder = self.env.iter().fold(Instance::builder(binary), |builder, (key, value)| builder.env(key, value));
        let since = Instant::now();
        let instance = builder.start().await;
        let answer = instance.invoke_bytes(payload.clone()).await.map_err(broken)?;
        let answered = since.elapsed();
        check(name, &answer)?;
        let ready = instance.ready().await.map_err(broken)?;
        let before = instance.usage().cpu;
        for _ in 0..calls {
            instance.invoke_bytes(payload.clone()).await.map_err(broken)?;
        }
        let usage = instance.usage();
        Ok(Start {
            ready_ms: ready.as_secs_f64() * 1e3,
            answered_ms: answered.as_secs_f64() * 1e3,
            memory_mb: usage.peak_memory_bytes as f64 / MB,
            call_cpu_us: (usage.cpu - before).as_secs_f64() * 1e6 / f64::from(calls),
        })
    }

    fn event(&self, name: &str) -> Value {
        let show = self.show.to_string();
        let headers = [("Content-Type", "application/json")];
        // A booking that does not exist: it is looked up by its key, and nothing changes.
        let unknown = format!("{show}-019a5b7e-8f00-7abc-8def-0123456789ab");
        match name {
            "list-shows" => api_event("GET", "/shows", &[], &[], &[], None),
            "book" => {
                let body = Some(r#"{"user_name":"A. Buyer","seats":2}"#);
                api_event("POST", "/shows/{show_id}/bookings", &[("show_id", &show)], &[], &headers, body)
            }
            "bookings" => api_event("GET", "/bookings/{booking_id}", &[("booking_id", &unknown)], &[], &[], None),
            "confirm" => {
                let path = "/bookings/{booking_id}/confirm";
                let event = api_event("POST", path, &[("booking_id", &unknown)], &[], &[], None);
                with_token(event, "operator", "bookings:confirm")
            }
            "admin" => {
                let body =
                    json!({ "name": "New", "start_time": "2999-01-01T00:00:00Z", "total_seats": 100 }).to_string();
                with_token(
                    api_event("POST", "/admin/shows", &[], &[], &headers, Some(&body)),
                    "operator",
                    "shows:write",
                )
            }
            "expire-holds" => sqs_event(&[("1", &json!({ "booking_id": unknown }).to_string())]),
            // An empty batch, since the cost of a payment is the database's.
            "confirm-payments" => sqs_event(&[]),
            _ => schedule_event(),
        }
    }
}

/// Checks the response, since a function that fails may look fast.
fn check(name: &str, answer: &[u8]) -> Result<(), String> {
    let answer: Value = serde_json::from_slice(answer).map_err(|error| format!("broken: {name}: {error}"))?;
    let right = match name {
        "list-shows" => answer["statusCode"] == 200,
        "book" | "admin" => answer["statusCode"] == 201,
        "bookings" | "confirm" => answer["statusCode"] == 404,
        "expire-holds" | "confirm-payments" => answer["batchItemFailures"].as_array().is_some_and(Vec::is_empty),
        "sweep-holds" => answer["expired"].is_number(),
        _ => true,
    };
    if right { Ok(()) } else { Err(format!("broken: {name} answered {answer}")) }
}

fn middle(starts: &[Start]) -> Start {
    let of = |figure: fn(&Start) -> f64| median(starts.iter().map(figure)).unwrap_or(f64::NAN);
    Start {
        ready_ms: of(|start| start.ready_ms),
        answered_ms: of(|start| start.answered_ms),
        memory_mb: of(|start| start.memory_mb),
        call_cpu_us: of(|start| start.call_cpu_us),
    }
}

fn size_mb(path: &Path) -> f64 {
    std::fs::metadata(path).map_or(f64::NAN, |metadata| metadata.len() as f64 / MB)
}

fn bars(medians: &[Start]) -> Bars {
    let mut bars = Bars::new("Time since the start of the process", "ms");
    let group = |figure: fn(&Start) -> f64| -> Vec<(String, Option<f64>)> {
        NAMES.iter().zip(medians).map(|(name, start)| ((*name).to_owned(), Some(figure(start)))).collect()
    };
    bars.group("to ready", &group(|start| start.ready_ms));
    bars.group("to the first response", &group(|start| start.answered_ms));
    bars
}

fn table(medians: &[Start], plains: &[Start], binaries: &[PathBuf]) -> Table {
    let columns = [
        "",
        "ready ms",
        "first response ms",
        "of the empty function's",
        "first response ms, no TLS or password",
        "size MB",
        "peak memory MB",
        "CPU per warm call µs",
    ];
    let mut table = Table::new("A Lambda instance", &columns);
    for (((name, start), plain), binary) in NAMES.iter().zip(medians).zip(plains).zip(binaries) {
        table.row(vec![
            Cell::text(name),
            Cell::number(Some(start.ready_ms), 1),
            Cell::number(Some(start.answered_ms), 1),
            Cell::number(Some(start.answered_ms / medians[0].answered_ms), 1),
            Cell::number(Some(plain.answered_ms), 1),
            Cell::number(Some(size_mb(binary)), 1),
            Cell::number(Some(start.memory_mb), 1),
            Cell::number(Some(start.call_cpu_us), 0),
        ]);
    }
    table
}

fn targets(report: &mut Report, medians: &[Start], plains: &[Start], binaries: &[PathBuf]) {
    for (name, most) in [("list-shows", 3.0), ("bookings", 3.0), ("confirm", 3.0), ("book", 4.0)] {
        let index = NAMES.iter().position(|known| *known == name).expect("it is one of them");
        for (starts, how) in [(medians, "over TLS with a password"), (plains, "without TLS or password")] {
            let ratio = starts[index].answered_ms / starts[0].answered_ms;
            let what = format!("{name}: start to first response / the empty handler's, database {how}");
            report.target(Target::at_most(&what, most, "times", Some(ratio)));
        }
    }
    for (name, binary) in NAMES.iter().zip(binaries).skip(1) {
        let most = if *name == "book" { 12.0 } else { 9.0 };
        report.target(Target::at_most(&format!("{name}: size"), most, "MB", Some(size_mb(binary))));
    }
}
