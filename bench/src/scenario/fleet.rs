//! Instances of a Lambda, and the load on them.

use std::net::Ipv6Addr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use boxoffice_testkit::events::{api_event, from_address};
use boxoffice_testkit::lambda::Instance;
use boxoffice_testkit::postgres::Database;
use boxoffice_testkit::sqs::FixedDelayQueue;
use bytes::Bytes;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::measure::cpu;
use crate::measure::stats::Latency;
use crate::measure::waits::{Sampler, Waits};
use crate::shows::Rows;

/// How many instances start at once. More would take longer to start than the time limit allows.
const STARTING: usize = 8;
const WARM_UP: Duration = Duration::from_millis(700);
/// The start of the response to a successful booking.
const CREATED: &[u8] = br#"{"statusCode":201"#;
/// The signing secret of the webhook endpoint.
pub(super) const STRIPE_SECRET: &str = "whsec_boxoffice_bench";

/// Running instances that are ready.
pub(super) struct Fleet {
    instances: Vec<Arc<Instance>>,
}

/// The load on a fleet.
#[derive(Clone)]
pub(super) struct Work {
    /// The event number `n`, from 0, of a client.
    pub(super) event: Arc<dyn Fn(usize, usize) -> Bytes + Send + Sync>,
    /// The start of a successful response.
    pub(super) answer: &'static [u8],
    /// The rows that it creates.
    pub(super) rows: Rows,
}

impl Work {
    /// Bookings of `shows` shows from `first` on, in turn, by this many clients.
    fn bookings(first: i64, shows: i64, clients: usize) -> Self {
        let orders: Vec<Order> = (first..first + shows).map(Order::of).collect();
        // Each client starts at another show, so that all shows are booked at once.
        let event = move |client: usize, n: usize| orders[(client * orders.len() / clients + n) % orders.len()].next();
        Self { event: Arc::new(event), answer: CREATED, rows: Rows::Bookings }
    }
}

/// The results of a load; CPU figures are per booking or, for webhooks, per payment.
pub(super) struct Load {
    pub(super) bookings_per_s: f64,
    pub(super) latency: Latency,
    /// Responses that were not successful.
    pub(super) refused: u64,
    pub(super) book_cpu_us: f64,
    pub(super) server_cpu_us: f64,
    pub(super) generator_cpu_us: f64,
    pub(super) busy: f64,
    pub(super) waits: Waits,
}

impl Fleet {
    /// Starts the instances and waits until all are ready.
    pub(super) async fn start(
        binary: &Path,
        count: usize,
        database_url: &str,
        queue: &FixedDelayQueue,
    ) -> Result<Self, String> {
        let (queue_url, endpoint) = (queue.queue_url(), queue.endpoint());
        let env = [
            ("DATABASE_URL", database_url),
            ("HOLD_QUEUE_URL", &queue_url),
            ("AWS_ENDPOINT_URL", &endpoint),
            ("PAYMENTS_QUEUE_URL", &queue_url),
            ("STRIPE_WEBHOOK_SECRETS", STRIPE_SECRET),
            // As the template sets it.
            ("SSL_CERT_FILE", "/dev/null"),
        ];
        let mut instances = Vec::with_capacity(count);
        while instances.len() < count {
            let mut batch = Vec::new();
            for _ in 0..STARTING.min(count - instances.len()) {
                batch.push(Instance::start(binary, &env).await);
            }
            for instance in batch {
                instance
                    .ready()
                    .await
                    .map_err(|error| format!("broken: {} did not start: {error}", binary.display()))?;
                instances.push(Arc::new(instance));
            }
        }
        Ok(Self { instances })
    }

    /// Books through the first `count` instances, `shows` shows from `first` on in turn.
    pub(super) async fn load(
        &self,
        database: &Database,
        postmaster: u32,
        count: usize,
        first: i64,
        shows: i64,
        length: Duration,
    ) -> Result<Load, String> {
        self.load_with(database, postmaster, count, Work::bookings(first, shows, count), length).await
    }

    /// Runs this load on the first `count` instances.
    pub(super) async fn load_with(
        &self,
        database: &Database,
        postmaster: u32,
        count: usize,
        work: Work,
        length: Duration,
    ) -> Result<Load, String> {
        let instances = &self.instances[..count];
        let shared = Arc::new(Shared::default());
        let mut buyers = JoinSet::new();
        for (client, instance) in instances.iter().enumerate() {
            buyers.spawn(buy(Arc::clone(instance), work.clone(), client, Arc::clone(&shared)));
        }
        sleep(WARM_UP).await;
        let admin = database.admin_client().await;
        let sampler = Sampler::start(database.admin_client().await);
        let before = Clocks::read(instances, postmaster);
        shared.counting.store(true, Ordering::Relaxed);
        sleep(length).await;
        shared.counting.store(false, Ordering::Relaxed);
        let after = Clocks::read(instances, postmaster);
        shared.stop.store(true, Ordering::Relaxed);
        let waits = sampler.finish().await;
        let mut micros = Vec::new();
        while let Some(buyer) = buyers.join_next().await {
            micros.extend(buyer.expect("a buyer should not panic")?);
        }
        let rows = work.rows.between(&admin, before.at_us, after.at_us).await;
        if rows == 0 {
            return Err("broken: it did nothing".into());
        }
        let per_row = |end: Duration, start: Duration| end.saturating_sub(start).as_secs_f64() * 1e6 / rows as f64;
        let (busy, all) = (after.machine.0 - before.machine.0, after.machine.1 - before.machine.1);
        Ok(Load {
            bookings_per_s: rows as f64 / (after.at_us - before.at_us) as f64 * 1e6,
            latency: Latency::of(micros),
            refused: shared.refused.load(Ordering::Relaxed),
            book_cpu_us: per_row(after.book, before.book),
            server_cpu_us: per_row(after.server, before.server),
            generator_cpu_us: per_row(after.generator, before.generator),
            busy: busy as f64 / all.max(1) as f64,
            waits,
        })
    }

    /// Makes `count` bookings through the first instance, one after another.
    pub(super) async fn calls(&self, show: i64, count: usize) -> Result<Latency, String> {
        let order = Order::of(show);
        let mut micros = Vec::with_capacity(count);
        for _ in 0..count {
            let event = order.next();
            let since = Instant::now();
            let answer = self.instances[0].invoke_bytes(event).await.map_err(|error| error.to_string())?;
            if !answer.starts_with(CREATED) {
                return Err(format!("broken: {}", String::from_utf8_lossy(&answer)));
            }
            micros.push(since.elapsed().as_micros() as u64);
        }
        Ok(Latency::of(micros))
    }
}

#[derive(Default)]
struct Shared {
    counting: AtomicBool,
    stop: AtomicBool,
    refused: AtomicU64,
}

async fn buy(instance: Arc<Instance>, work: Work, client: usize, shared: Arc<Shared>) -> Result<Vec<u64>, String> {
    let mut micros = Vec::new();
    for n in 0.. {
        if shared.stop.load(Ordering::Relaxed) {
            break;
        }
        let event = (work.event)(client, n);
        let since = Instant::now();
        let answer = instance.invoke_bytes(event).await.map_err(|error| format!("broken: {error}"))?;
        if !answer.starts_with(work.answer) {
            shared.refused.fetch_add(1, Ordering::Relaxed);
        } else if shared.counting.load(Ordering::Relaxed) {
            micros.push(since.elapsed().as_micros() as u64);
        }
    }
    Ok(micros)
}

/// Booking events as API Gateway sends them, each from a different address: the bookings of one holder would run one
/// after another.
pub(super) struct Order {
    before: String,
    after: String,
}

impl Order {
    pub(super) fn of(show: i64) -> Self {
        const ADDRESS: &str = "the address";
        let headers = [("Content-Type", "application/json")];
        let body = Some(r#"{"user_name":"A. Buyer","seats":2}"#);
        let id = show.to_string();
        let event = api_event("POST", "/shows/{show_id}/bookings", &[("show_id", &id)], &[], &headers, body);
        let event = from_address(event, ADDRESS).to_string();
        let (before, after) = event.split_once(ADDRESS).expect("the event has an address");
        Self { before: before.to_owned(), after: after.to_owned() }
    }

    /// The event of the next buyer.
    pub(super) fn next(&self) -> Bytes {
        let address = Ipv6Addr::from_bits(rand::random());
        format!("{}{address}{}", self.before, self.after).into()
    }
}

struct Clocks {
    at_us: u64,
    book: Duration,
    server: Duration,
    generator: Duration,
    machine: (u64, u64),
}

impl Clocks {
    fn read(instances: &[Arc<Instance>], postmaster: u32) -> Self {
        let at = std::time::UNIX_EPOCH.elapsed().expect("a clock after 1970");
        Self {
            at_us: at.as_micros() as u64,
            book: instances.iter().map(|instance| cpu::of(instance.pid())).sum(),
            server: cpu::of_family(postmaster),
            generator: cpu::of(std::process::id()),
            machine: cpu::of_machine(),
        }
    }
}
