//! The database stops, restarts or stops responding: calls end in bounded time with a truthful error, and nothing is
//! lost.

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

/// The timeout of a Lambda for one request. A call that takes longer is a hang.
const LAMBDA: Duration = Duration::from_secs(15);

/// Clients that book and confirm until `stop` is set.
#[derive(Default)]
struct Load {
    stop: AtomicBool,
    /// Odd while the database is up: a call that begins and ends in the same odd phase must not fail. The load begins
    /// in phase 1.
    phase: AtomicU64,
    made: AtomicU64,
    failed: AtomicU64,
}

/// A booking that a client received a response for. It must still exist in the end, and be confirmed if `confirmed`.
struct Answered {
    id: BookingId,
    confirmed: bool,
}

impl Load {
    async fn client(self: Arc<Self>, db: Db, show: ShowId, number: usize) -> Vec<Answered> {
        let mut answered = Vec::new();
        for turn in 0.. {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let wish = keyed(show, 1, &format!("{number}-{turn}"));
            let Some(booked) = self.call(bookings::book(&db, &wish)).await else { continue };
            let id = booked.booking.id();
            self.made.fetch_add(1, Ordering::Relaxed);
            let confirmed = turn % 2 == 0 && self.call(bookings::confirm(&db, id)).await.is_some();
            answered.push(Answered { id, confirmed });
        }
        answered
    }

    async fn call<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Option<T> {
        let began = self.phase.load(Ordering::SeqCst);
        match timeout(LAMBDA, call).await.expect("a call should end within a Lambda's time") {
            Ok(value) => Some(value),
            Err(error) => {
                assert!(error.retryable(), "only retryable errors are expected: {error:?}");
                let was_up = began % 2 == 1 && self.phase.load(Ordering::SeqCst) == began;
                assert!(!was_up, "the database was up in phase {began}: {error:?}");
                self.failed.fetch_add(1, Ordering::Relaxed);
                // Like a client, wait before the retry.
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
    let load = Arc::new(Load { phase: AtomicU64::new(1), ..Load::default() });
    let mut clients = JoinSet::new();
    for (number, db) in counters.into_iter().enumerate() {
        clients.spawn(load.clone().client(db, show, number));
    }
    for _ in 0..2 {
        load.until_made(100).await;
        load.phase.fetch_add(1, Ordering::SeqCst);
        server.stop(how).await;
        let failed = load.failed.load(Ordering::Relaxed);
        wait::until("clients see errors", async || load.failed.load(Ordering::Relaxed) > failed).await;
        server.start_again().await;
        load.phase.fetch_add(1, Ordering::SeqCst);
        load.until_made(200).await;
    }
    load.stop.store(true, Ordering::Relaxed);
    let answered: Vec<Answered> = clients.join_all().await.into_iter().flatten().collect();
    verify(&database.client().await, show, &answered).await;
}

/// Every booking that a client received a response for exists. Other bookings are those whose response was lost; their
/// seats are accounted for too.
async fn verify(client: &Client, show: ShowId, answered: &[Answered]) {
    let rows = client.query("SELECT id, status FROM bookings WHERE show_id = $1", &[&show.get()]).await.unwrap();
    let rows: std::collections::HashMap<uuid::Uuid, String> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    for Answered { id, confirmed } in answered {
        let status = rows.get(&id.uuid()).unwrap_or_else(|| panic!("{id} was answered but does not exist"));
        assert!(!confirmed || status == "CONFIRMED", "{id} was confirmed but is {status}");
    }
    assert!(answered.len() >= 600, "{}", answered.len());
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

/// The backend stops while the connection stays open. The attempt is abandoned after 5 s and retried on another
/// connection. When the backend resumes, it still runs the abandoned statement, and there is still one booking.
#[tokio::test]
async fn a_frozen_backend_costs_one_bounded_wait() {
    let database = Database::create().await;
    let db = db(&database, 1);
    let show = show(&db, 10, 2).await.id();
    // The statement ran on this connection before, so it is sent at once and waits for the backend.
    let sold = bookings::book(&db, &request(show, 1)).await.unwrap().booking.id();
    bookings::confirm(&db, sold).await.unwrap();
    let admin = database.admin_client().await;
    let pid = backends(&admin).await[0];
    let frozen = Server::shared().pause_backend(pid);
    let wish = request(show, 3);
    let booked = timeout(LAMBDA, bookings::book(&db, &wish)).await.expect("no hang").unwrap();
    assert_eq!(booked.booking.id(), wish.id);
    assert!(!booked.replayed);
    // The connection pool works again at once.
    bookings::confirm(&db, wish.id).await.unwrap();
    drop(frozen);
    wait::until("the old backend resumes and ends", async || !backends(&admin).await.contains(&pid)).await;
    assert_eq!((count(&admin, "CONFIRMED").await, count(&admin, "PENDING").await), (2, 0));
    assert_eq!(free(&admin, show).await.iter().sum::<i32>(), 10 - 1 - 3);
    assert_invariants(&admin).await;
}

/// The network drops everything, new connections too. The call ends within a Lambda's timeout with `Unavailable`.
#[tokio::test]
async fn a_frozen_network_is_reported_as_unavailable_in_bounded_time() {
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
    // The pool works again. The retry has the same booking id, so there is one booking even if the first attempt
    // succeeded.
    bookings::book(&db, &wish).await.unwrap();
    let client = database.client().await;
    assert_eq!(count(&client, "PENDING").await, 1);
    assert_invariants(&client).await;
}

/// Cuts the proxy's connections, whose held-back responses are lost. Later connections pass.
async fn lose_answers(proxy: &Proxy, client: &Client) {
    proxy.cut();
    // Resume only now, or a response could pass.
    wait::until("the connections end", async || backends(client).await.is_empty()).await;
    proxy.resume();
}

/// The backends of the operations under test.
async fn backends(client: &Client) -> Vec<i32> {
    let sql = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'boxoffice'";
    client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

/// The operation commits but its response is lost. The retry finds the booking.
#[tokio::test]
async fn a_booking_whose_response_is_lost_is_found_by_the_retry() {
    let database = Database::create().await;
    let proxy = Proxy::to_port(database.port()).await;
    let db = db_at(&database.url_at(proxy.port(), "disable"), 1);
    let show = show(&db, 100, 2).await.id();
    let client = database.client().await;
    for wish in [keyed(show, 3, "k"), request(show, 2)] {
        // The statements ran on this connection before, so they are sent at once.
        let other = bookings::book(&db, &request(show, 1)).await.unwrap().booking.id();
        bookings::confirm(&db, other).await.unwrap();
        proxy.freeze_replies();
        let (booked, ()) = tokio::join!(bookings::book(&db, &wish), async {
            wait::until("the booking exists", async || count(&client, "PENDING").await == 1).await;
            lose_answers(&proxy, &client).await;
        });
        let booked = booked.unwrap();
        // It is not reported as a replay, because no client received it before.
        assert_eq!((booked.booking.id(), booked.replayed), (wish.id, false));
        // The same for its confirmation.
        bookings::confirm(&db, other).await.unwrap();
        let sold = count(&client, "CONFIRMED").await;
        proxy.freeze_replies();
        let (confirmed, ()) = tokio::join!(bookings::confirm(&db, wish.id), async {
            wait::until("the booking is confirmed", async || count(&client, "CONFIRMED").await > sold).await;
            lose_answers(&proxy, &client).await;
        });
        confirmed.unwrap();
    }
    assert_eq!(count(&client, "CONFIRMED").await, 4);
    assert_eq!(free(&client, show).await.iter().sum::<i32>(), 100 - 3 - 2 - 2);
    assert_invariants(&client).await;
}

/// The same for payments: the retry finds the recorded event, which has one effect.
#[tokio::test]
async fn a_payment_whose_response_is_lost_is_recorded_once() {
    let database = Database::create().await;
    let proxy = Proxy::to_port(database.port()).await;
    let db = db_at(&database.url_at(proxy.port(), "disable"), 1);
    let client = database.client().await;
    let show = pay::priced_show(&db, 10, 2).await.id();
    let paid = |n: u8, id| pay::success(&format!("evt_{n}"), &format!("pi_{n}"), id, 2);
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(bookings::book(&db, &request(show, 2)).await.unwrap().booking.id());
        // The statement ran on this connection before, so it is sent at once.
        let recorded = pay::event(&format!("evt_other_{n}"), "pi_other", None, PaymentChange::Other);
        assert_eq!(payments::record(&db, &recorded, &common::NO_LIMITS).await.unwrap(), Recorded::Kept);
        let event = paid(n, ids[usize::from(n)]);
        proxy.freeze_replies();
        let (recorded, ()) = tokio::join!(payments::record(&db, &event, &common::NO_LIMITS), async {
            wait::until("the booking is confirmed", async || count(&client, "CONFIRMED").await == i64::from(n) + 1)
                .await;
            lose_answers(&proxy, &client).await;
        });
        assert_eq!(recorded.unwrap(), Recorded::Repeated);
        assert_eq!(pay::payment(&client, &format!("pi_{n}")).await.0, "confirmed");
    }
    assert_invariants(&client).await;
    pay::assert_reconciled(&db).await;
}

/// The backend is terminated while the payment waits for its booking, before anything is committed. The retry records
/// it.
#[tokio::test]
async fn a_payment_whose_backend_dies_before_commit_is_retried() {
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

/// The server is killed three times while payments arrive, before or after their commits. A sender without a response
/// sends the event again, as a provider does. In the end each payment has confirmed its booking once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payments_sent_while_the_server_is_killed_are_all_recorded() {
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
        wait::until("more payments arrive", async || sent.load(Ordering::Relaxed) >= all * part / 5).await;
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

/// If the response is lost, the creation of a show is not retried. The caller gets `Unavailable`.
#[tokio::test]
async fn a_show_whose_response_is_lost_is_not_created_twice() {
    let database = Database::create().await;
    let proxy = Proxy::to_port(database.port()).await;
    let db = db_at(&database.url_at(proxy.port(), "disable"), 1);
    show(&db, 10, 2).await;
    let client = database.client().await;
    let shows = async || client.query_one("SELECT count(*) FROM shows", &[]).await.unwrap().get::<_, i64>(0);
    proxy.freeze_replies();
    let new = common::new_show(10, 2);
    let (made, ()) = tokio::join!(shows::create(&db, &new), async {
        wait::until("the show exists", async || shows().await == 2).await;
        lose_answers(&proxy, &client).await;
    });
    assert!(matches!(made, Err(Error::Unavailable(_))), "{made:?}");
    assert_eq!(shows().await, 2);
}
