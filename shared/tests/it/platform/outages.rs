//! The database goes away, comes back, or falls silent: a bounded wait, an honest error, and nothing lost.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::common::{self, count, db, db_at, free, instances, keyed, pay, request, show, wait};
use boxoffice_shared::{
    Error,
    bookings::{self, BookingId},
    payments::{self, PaymentChange, Recorded},
    platform::db::Db,
    shows::{self, ShowId},
};
use boxoffice_testkit::{
    invariants::assert_invariants,
    postgres::{Database, Options, Server, Stop},
    proxy::Proxy,
};
use tokio::{task::JoinSet, time::timeout};
use tokio_postgres::Client;

/// What a Lambda has for one request. A call that takes longer is a hang.
const LAMBDA: Duration = Duration::from_secs(15);

/// Clients that book and confirm until they are told to stop.
#[derive(Default)]
struct Load {
    stop: AtomicBool,
    /// Odd while the database is there: what begins and ends in one such time may not fail. The load begins in time 1.
    time: AtomicU64,
    made: AtomicU64,
    failed: AtomicU64,
}

/// What a client was told of a booking, and so what must be true ever after.
struct Told {
    id: BookingId,
    confirmed: bool,
}

impl Load {
    async fn client(self: Arc<Self>, db: Db, show: ShowId, number: usize) -> Vec<Told> {
        let mut told = Vec::new();
        for turn in 0.. {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let wish = keyed(show, 1, &format!("{number}-{turn}"));
            let Some(booked) = self.call(bookings::book(&db, &wish)).await else { continue };
            let id = booked.booking.id();
            self.made.fetch_add(1, Ordering::Relaxed);
            let confirmed = turn % 2 == 0 && self.call(bookings::confirm(&db, id)).await.is_some();
            told.push(Told { id, confirmed });
        }
        told
    }

    async fn call<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Option<T> {
        let begun = self.time.load(Ordering::SeqCst);
        match timeout(LAMBDA, call).await.expect("a call should end within a Lambda's time") {
            Ok(value) => Some(value),
            Err(error) => {
                assert!(error.retryable(), "only what says that it may be tried again: {error:?}");
                let all_was_well = begun % 2 == 1 && self.time.load(Ordering::SeqCst) == begun;
                assert!(!all_was_well, "in time {begun}: {error:?}");
                self.failed.fetch_add(1, Ordering::Relaxed);
                // As a client would: not at once.
                tokio::time::sleep(Duration::from_millis(5)).await;
                None
            }
        }
    }

    async fn until_made(&self, more: u64) {
        let goal = self.made.load(Ordering::Relaxed) + more;
        wait::until("bookings are made", async || self.made.load(Ordering::Relaxed) >= goal).await;
    }
}

async fn bookings_survive(how: Stop) {
    let server = Server::start(&Options::durable());
    let database = server.create_database().await;
    let counters = instances(&database.url(), 8).await;
    let show = show(&counters[0], 1_000_000, 8).await.id();
    let load = Arc::new(Load { time: AtomicU64::new(1), ..Load::default() });
    let mut clients = JoinSet::new();
    for (number, db) in counters.into_iter().enumerate() {
        clients.spawn(load.clone().client(db, show, number));
    }
    for _ in 0..2 {
        load.until_made(100).await;
        load.time.fetch_add(1, Ordering::SeqCst);
        server.stop(how).await;
        let failed = load.failed.load(Ordering::Relaxed);
        wait::until("clients are told", async || load.failed.load(Ordering::Relaxed) > failed).await;
        server.start_again().await;
        load.time.fetch_add(1, Ordering::SeqCst);
        load.until_made(200).await;
    }
    load.stop.store(true, Ordering::Relaxed);
    let told: Vec<Told> = clients.join_all().await.into_iter().flatten().collect();
    verify(&database.client().await, show, &told).await;
}

/// Whatever was answered is there. What is there and was not answered is a booking whose answer was lost: allowed, and
/// its seats are accounted for.
async fn verify(client: &Client, show: ShowId, told: &[Told]) {
    let rows = client.query("SELECT id, status FROM bookings WHERE show_id = $1", &[&show.get()]).await.unwrap();
    let rows: std::collections::HashMap<uuid::Uuid, String> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    for Told { id, confirmed } in told {
        let status = rows.get(&id.uuid()).unwrap_or_else(|| panic!("{id} was answered and is not there"));
        assert!(!confirmed || status == "CONFIRMED", "{id} was confirmed, and is {status}");
    }
    assert!(told.len() >= 600, "{}", told.len());
    assert_eq!(free(client, show).await.iter().sum::<i32>(), 1_000_000 - i32::try_from(rows.len()).unwrap());
    assert_invariants(client).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_under_load_loses_nothing() {
    bookings_survive(Stop::Fast).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_under_load_loses_nothing() {
    bookings_survive(Stop::Immediate).await;
}

/// The backend stands still with the connection open: the attempt is given up after 5 s, and the next one is made on
/// another connection. When the backend goes on, it does what it was sent, for nobody: still one booking.
#[tokio::test]
async fn a_frozen_backend_costs_one_bounded_wait() {
    let database = Database::create().await;
    let db = db(&database, 1);
    let show = show(&db, 10, 2).await.id();
    // A connection on which the statement ran before: it is sent at once, and waits for the backend to go on.
    let sold = bookings::book(&db, &request(show, 1)).await.unwrap().booking.id();
    bookings::confirm(&db, sold).await.unwrap();
    let admin = database.admin_client().await;
    let pid = backends(&admin).await[0];
    let frozen = Server::shared().pause_backend(pid);
    let wish = request(show, 3);
    let booked = timeout(LAMBDA, bookings::book(&db, &wish)).await.expect("no hang").unwrap();
    assert_eq!(booked.booking.id(), wish.id);
    assert!(!booked.replayed);
    // The pool is as good as new, at once.
    bookings::confirm(&db, wish.id).await.unwrap();
    drop(frozen);
    wait::until("the old backend goes on and ends", async || !backends(&admin).await.contains(&pid)).await;
    assert_eq!((count(&admin, "CONFIRMED").await, count(&admin, "PENDING").await), (2, 0));
    assert_eq!(free(&admin, show).await.iter().sum::<i32>(), 10 - 1 - 3);
    assert_invariants(&admin).await;
}

/// The network falls silent, for new connections too: the call ends within a Lambda's time and says so.
#[tokio::test]
async fn a_frozen_network_is_unavailable_and_not_a_hang() {
    let database = Database::create().await;
    let proxy = Proxy::to_port(database.port()).await;
    let db = db_at(&database.url_at(proxy.port(), "disable"), 1);
    let show = show(&db, 10, 2).await.id();
    let sold = bookings::book(&db, &request(show, 1)).await.unwrap().booking.id();
    bookings::cancel(&db, sold, None).await.unwrap();
    let wish = request(show, 3);
    proxy.freeze();
    let answer = timeout(LAMBDA, bookings::book(&db, &wish)).await.expect("no hang");
    assert!(matches!(answer, Err(Error::Unavailable(_))), "{answer:?}");
    proxy.resume();
    // The pool is usable, and it is known whether the first attempt was a booking: the same id is the same booking.
    bookings::book(&db, &wish).await.unwrap();
    let client = database.client().await;
    assert_eq!(count(&client, "PENDING").await, 1);
    assert_invariants(&client).await;
}

/// Ends the connections through the proxy whose answers it holds back; the answers are lost. What comes later passes.
async fn lose_answers(proxy: &Proxy, client: &Client) {
    proxy.cut();
    // Not earlier, or an answer slips through.
    wait::until("the connections end", async || backends(client).await.is_empty()).await;
    proxy.resume();
}

/// The backends of the operations under test.
async fn backends(client: &Client) -> Vec<i32> {
    let sql = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'boxoffice'";
    client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

/// What is asked for is done and the answer is lost: the attempt that follows finds the booking.
#[tokio::test]
async fn an_answer_that_is_lost_is_found_again() {
    let database = Database::create().await;
    let proxy = Proxy::to_port(database.port()).await;
    let db = db_at(&database.url_at(proxy.port(), "disable"), 1);
    let show = show(&db, 100, 2).await.id();
    let client = database.client().await;
    for wish in [keyed(show, 3, "k"), request(show, 2)] {
        // A connection on which the statements ran before: they are sent at once.
        let other = bookings::book(&db, &request(show, 1)).await.unwrap().booking.id();
        bookings::confirm(&db, other).await.unwrap();
        proxy.freeze_replies();
        let (booked, ()) = tokio::join!(bookings::book(&db, &wish), async {
            wait::until("the booking is there", async || count(&client, "PENDING").await == 1).await;
            lose_answers(&proxy, &client).await;
        });
        let booked = booked.unwrap();
        // Ours, not a replay: nobody was told of it before.
        assert_eq!((booked.booking.id(), booked.replayed), (wish.id, false));
        // The same for what settles it.
        bookings::confirm(&db, other).await.unwrap();
        let sold = count(&client, "CONFIRMED").await;
        proxy.freeze_replies();
        let (confirmed, ()) = tokio::join!(bookings::confirm(&db, wish.id), async {
            wait::until("it is confirmed", async || count(&client, "CONFIRMED").await > sold).await;
            lose_answers(&proxy, &client).await;
        });
        confirmed.unwrap();
    }
    assert_eq!(count(&client, "CONFIRMED").await, 4);
    assert_eq!(free(&client, show).await.iter().sum::<i32>(), 100 - 3 - 2 - 2);
    assert_invariants(&client).await;
}

/// The same for money: the attempt that follows finds the event, and there is one effect.
#[tokio::test]
async fn a_payment_whose_answer_is_lost_is_found_again() {
    let database = Database::create().await;
    let proxy = Proxy::to_port(database.port()).await;
    let db = db_at(&database.url_at(proxy.port(), "disable"), 1);
    let client = database.client().await;
    let show = pay::priced_show(&db, 10, 2).await.id();
    let paid = |n: u8, id| pay::success(&format!("evt_{n}"), &format!("pi_{n}"), id, 2);
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(bookings::book(&db, &request(show, 2)).await.unwrap().booking.id());
        // A connection on which the statement ran before: it is sent at once.
        let recorded = pay::event(&format!("evt_other_{n}"), "pi_other", None, PaymentChange::Other);
        assert_eq!(payments::record(&db, &recorded, &common::NO_LIMITS).await.unwrap(), Recorded::Kept);
        let event = paid(n, ids[usize::from(n)]);
        proxy.freeze_replies();
        let (recorded, ()) = tokio::join!(payments::record(&db, &event, &common::NO_LIMITS), async {
            wait::until("it is confirmed", async || count(&client, "CONFIRMED").await == i64::from(n) + 1).await;
            lose_answers(&proxy, &client).await;
        });
        assert_eq!(recorded.unwrap(), Recorded::Repeated);
        assert_eq!(pay::payment(&client, &format!("pi_{n}")).await.0, "confirmed");
    }
    assert_invariants(&client).await;
    pay::assert_reconciled(&db).await;
}

/// The backend is ended while the payment waits for its booking, before anything is committed: the next attempt does it.
#[tokio::test]
async fn a_payment_whose_backend_ends_before_its_commit_is_recorded_by_the_next_attempt() {
    let database = Database::create().await;
    let (db, client) = (db(&database, 1), database.admin_client().await);
    let show = pay::priced_show(&db, 10, 2).await.id();
    let id = bookings::book(&db, &request(show, 2)).await.unwrap().booking.id();
    let holder = database.admin_client().await;
    let pid = wait::pid(&holder).await;
    holder.batch_execute("BEGIN; SELECT FROM bookings FOR UPDATE").await.unwrap();
    let event = pay::success("evt_1", "pi_1", id, 2);
    let (recorded, ()) = tokio::join!(payments::record(&db, &event, &common::NO_LIMITS), async {
        wait::until_blocked(&client, pid, 1).await;
        let end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid))";
        client.execute(end, &[&pid]).await.unwrap();
        assert_eq!(pay::events(&client).await, 0);
        holder.batch_execute("COMMIT").await.unwrap();
    });
    assert_eq!(recorded.unwrap(), Recorded::Confirmed);
    assert_eq!(pay::events(&client).await, 1);
    assert_invariants(&client).await;
    pay::assert_reconciled(&db).await;
}

/// The server is killed again and again while payments come, before and after commits as it happens. Who is not answered
/// sends the event again, as a provider does: each payment has confirmed its booking once in the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payments_that_come_while_the_server_is_killed_all_land() {
    const SENDERS: usize = 6;
    const PAYMENTS: usize = 60;
    let server = Server::start(&Options::fast());
    let database = server.create_database().await;
    let dbs = instances(&database.url(), SENDERS).await;
    let show = pay::priced_show(&dbs[0], (SENDERS * PAYMENTS) as i64, 4).await.id();
    let sent = Arc::new(AtomicU64::new(0));
    let mut senders = JoinSet::new();
    for (sender, db) in dbs.iter().cloned().enumerate() {
        let sent = sent.clone();
        senders.spawn(async move {
            for n in 0..PAYMENTS {
                let wish = request(show, 1);
                while bookings::book(&db, &wish).await.is_err() {}
                let (event, payment) = (format!("evt_{sender}_{n}"), format!("pi_{sender}_{n}"));
                let event = pay::success(&event, &payment, wish.id, 1);
                while payments::record(&db, &event, &common::NO_LIMITS).await.is_err() {}
                sent.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let all = (SENDERS * PAYMENTS) as u64;
    for part in 1..=3 {
        wait::until("more payments came", async || sent.load(Ordering::Relaxed) >= all * part / 5).await;
        server.restart(Stop::Immediate).await;
    }
    timeout(Duration::from_secs(60), async { while senders.join_next().await.transpose().unwrap().is_some() {} })
        .await
        .unwrap();
    let client = database.client().await;
    assert_eq!(count(&client, "CONFIRMED").await, all as i64);
    assert_eq!(pay::events(&client).await, all as i64);
    assert_eq!(free(&client, show).await.iter().sum::<i32>(), 0);
    assert_invariants(&client).await;
    pay::assert_reconciled(&dbs[0]).await;
}

/// A show is not made twice by an answer that is lost: the caller is told that it is not known.
#[tokio::test]
async fn a_show_whose_answer_is_lost_is_not_made_again() {
    let database = Database::create().await;
    let proxy = Proxy::to_port(database.port()).await;
    let db = db_at(&database.url_at(proxy.port(), "disable"), 1);
    show(&db, 10, 2).await;
    let client = database.client().await;
    let shows = async || client.query_one("SELECT count(*) FROM shows", &[]).await.unwrap().get::<_, i64>(0);
    proxy.freeze_replies();
    let new = common::new_show(10, 2);
    let (made, ()) = tokio::join!(shows::create(&db, &new), async {
        wait::until("the show is there", async || shows().await == 2).await;
        lose_answers(&proxy, &client).await;
    });
    assert!(matches!(made, Err(Error::Unavailable(_))), "{made:?}");
    assert_eq!(shows().await, 2);
}
