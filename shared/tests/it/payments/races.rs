//! Payments race with expiry, cancellation, confirmation and each other: no payment is lost or counted twice.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use crate::common::{
    self, age, db, instances,
    pay::{assert_reconciled, event, priced_show, success},
    request, wait,
};
use boxoffice_shared::{
    bookings::{self, BookingId, BookingStatus, FailureReason, Hold},
    checks::{self, CheckCursor},
    holders::Viewer,
    payments::{self, PaymentChange, PaymentEvent, Recorded, Refund, RefundReason},
    platform::db::Db,
    shows::ShowId,
};
use boxoffice_testkit::{invariants::assert_invariants, postgres::Database, rng::SeededRng};
use rand::{RngExt as _, seq::SliceRandom as _};
use tokio::task::JoinSet;
use tokio_postgres::Client;

/// Concurrent tasks for one booking.
const TASKS: usize = 6;

/// One operation on a booking.
#[derive(Clone, Debug)]
enum Action {
    Record(Box<PaymentEvent>),
    Expire,
    Sweep,
    Cancel,
    Confirm,
    Extend,
}

/// The shuffled operations of one round on one booking: up to three payments, each with some of its events, some of
/// them delivered twice, and expiry, sweep, cancellation, confirmation and extension.
fn actions(rng: &mut SeededRng, round: &str, id: BookingId) -> Vec<Action> {
    let mut all = vec![Action::Expire];
    for payment in 0..rng.random_range(1..=3) {
        let payment = format!("pi_{round}_{payment}");
        let mut changes = vec![];
        if rng.random_bool(0.85) {
            changes.push(success("x", &payment, id, if rng.random_bool(0.9) { 2 } else { 1 }).change);
        }
        for (chance, change) in [
            (0.3, PaymentChange::Failed),
            (0.15, PaymentChange::Cancelled),
            (0.2, PaymentChange::Refunded(Refund::Full)),
            (0.1, PaymentChange::RefundFailed),
        ] {
            if rng.random_bool(chance) {
                changes.push(change);
            }
        }
        for (n, change) in changes.into_iter().enumerate() {
            let sent = event(&format!("evt_{payment}_{n}"), &payment, Some(id), change);
            for _ in 0..rng.random_range(1..=2) {
                all.push(Action::Record(Box::new(sent.clone())));
            }
        }
    }
    for (chance, action) in
        [(0.3, Action::Sweep), (0.25, Action::Cancel), (0.1, Action::Confirm), (0.2, Action::Extend)]
    {
        if rng.random_bool(chance) {
            all.push(action);
        }
    }
    all.shuffle(&mut **rng);
    all
}

async fn run(db: &Db, id: BookingId, action: Action) -> Option<Recorded> {
    match action {
        Action::Record(sent) => return Some(payments::record(db, &sent, &common::NO_LIMITS).await.unwrap()),
        Action::Expire => drop(bookings::expire(db, &BTreeSet::from([id])).await.unwrap()),
        Action::Sweep => drop(bookings::sweep(db).await.unwrap()),
        // These may be refused.
        Action::Cancel => drop(bookings::cancel(db, id, None).await),
        Action::Confirm => drop(bookings::confirm(db, id).await),
        Action::Extend => drop(bookings::extend(db, id, None, Hold::DEFAULT, Duration::from_secs(600)).await),
    }
    None
}

/// Moves the end of the hold to just before now, just after now, or later.
async fn move_end(client: &Client, rng: &mut SeededRng, id: BookingId) {
    let left = [-5.0, 0.001, 0.003, 100.0][rng.random_range(0..4)];
    age(client, id, 120.0 - left).await;
}

/// Runs all operations on one booking over several connections at once. The show has 2 to 4 seats, and another buyer
/// may hold the rest, so a late payment may find none.
async fn round(dbs: &[Db], client: &Client, rng: &mut SeededRng, name: &str, show: ShowId) {
    let id = bookings::book(&dbs[0], &request(show, 2)).await.unwrap().booking.id();
    let rival = if rng.random_bool(0.5) { Some(request(show, 2)) } else { None };
    move_end(client, rng, id).await;
    let actions = actions(rng, name, id);
    let mut tasks = JoinSet::new();
    for (task, db) in dbs.iter().enumerate() {
        let mine: Vec<_> = actions.iter().skip(task).step_by(dbs.len()).cloned().collect();
        let (db, rival, pauses) = (db.clone(), rival.clone().filter(|_| task == 0), rng.random_range(0..8));
        tasks.spawn(async move {
            for _ in 0..pauses {
                tokio::task::yield_now().await;
            }
            if let Some(rival) = rival {
                // The show may be sold out.
                drop(bookings::book(&db, &rival).await);
            }
            for action in mine {
                run(&db, id, action).await;
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let case = format!("{name}: {actions:?}");
    assert_each_payment_is_decided(client, name, id, &actions, &case).await;
}

/// Asserts that each payment that succeeded is confirmed, due for refund or refunded, and that the booking agrees.
async fn assert_each_payment_is_decided(client: &Client, name: &str, id: BookingId, actions: &[Action], case: &str) {
    let sql = "SELECT payment_id, state, succeeded_at IS NOT NULL FROM payments WHERE payment_id LIKE $1";
    let rows = client.query(sql, &[&format!("pi\\_{name}\\_%")]).await.unwrap();
    let sent: BTreeSet<_> = actions.iter().filter_map(success_of).collect();
    let mut confirmed = 0;
    for row in &rows {
        let (payment, state, succeeded): (String, String, bool) = (row.get(0), row.get(1), row.get(2));
        assert_eq!(succeeded, sent.contains(&payment), "{payment}; {case}");
        let decided = ["confirmed", "refund_due", "refunded"].contains(&state.as_str());
        assert!(decided || !succeeded, "{payment} is {state}; {case}");
        confirmed += u64::from(state == "confirmed");
    }
    let known = rows.iter().map(|row| row.get::<_, String>(0)).collect();
    assert!(sent.is_subset(&known), "{case}");
    let row = client
        .query_one(
            "SELECT status, failure_reason FROM bookings WHERE show_id = $1 AND id = $2",
            &[&id.show_id().get(), &id.uuid()],
        )
        .await
        .unwrap();
    let (status, reason): (String, Option<String>) = (row.get(0), row.get(1));
    let by_operator = actions.iter().any(|action| matches!(action, Action::Confirm));
    assert!(confirmed <= 1, "{case}");
    assert!(confirmed == 0 || status == "CONFIRMED", "paid, and {status}; {case}");
    assert!(status != "CONFIRMED" || confirmed == 1 || by_operator, "confirmed, and not paid; {case}");
    assert!(reason.as_deref() != Some("refunded") || confirmed == 0, "{case}");
}

fn success_of(action: &Action) -> Option<String> {
    match action {
        Action::Record(sent) if matches!(sent.change, PaymentChange::Succeeded(_)) => {
            sent.payment_id.as_ref().map(ToString::to_string)
        }
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_interleavings_neither_lose_nor_double_a_payment() {
    const LANES: usize = 3;
    const ROUNDS: usize = 1_000;
    let database = Database::create().await;
    let client = Arc::new(database.client().await);
    let all = instances(&database.url(), LANES * TASKS).await;
    let seed = SeededRng::new();
    let mut lanes = JoinSet::new();
    for (lane, dbs) in all.chunks(TASKS).enumerate() {
        let (dbs, client) = (dbs.to_vec(), client.clone());
        let mut rng = SeededRng::from_seed(seed.seed().wrapping_add(lane as u64));
        lanes.spawn(async move {
            for n in 0..ROUNDS.div_ceil(LANES) {
                let seats = rng.random_range(2..=4);
                let show = priced_show(&dbs[0], seats, rng.random_range(1..=2)).await.id();
                round(&dbs, &client, &mut rng, &format!("{lane}x{n}"), show).await;
                // Checks the show's seats. Its payments are checked at the end with all others; they do not change
                // until then.
                let before =
                    (show.get() - 1).to_string().parse::<ShowId>().map_or(CheckCursor::START, CheckCursor::after_show);
                let (found, _) = checks::check_some(&dbs[0], &before).await.unwrap();
                assert!(found.is_empty(), "{found:?}");
            }
        });
    }
    while let Some(lane) = lanes.join_next().await {
        lane.unwrap();
    }
    assert_invariants(&client).await;
    assert_reconciled(&all[0]).await;
    // The rounds should cover every state and reason.
    let sql = "SELECT concat_ws(' ', state, CASE state WHEN 'refund_due' THEN reason END), count(*) \
               FROM payments GROUP BY 1 ORDER BY 1";
    let counts: Vec<(String, i64)> =
        client.query(sql, &[]).await.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect();
    println!("{counts:?}");
    for wanted in [
        "confirmed",
        "failed",
        "refunded",
        "refund_due already_paid",
        "refund_due booking_cancelled",
        "refund_due booking_refunded",
        "refund_due hold_expired_sold_out",
        "refund_due refund_failed",
        "refund_due wrong_amount",
    ] {
        assert!(counts.iter().any(|(kind, count)| kind == wanted && *count > 2), "{wanted}: {counts:?}");
    }
}

/// The payment waits for the booking's lock until the hold is expired and its seats are released. It must take seats
/// again, and must not confirm the booking as it was before the wait.
#[tokio::test]
async fn a_payment_that_waited_past_the_end_of_the_hold_is_late() {
    let database = Database::create().await;
    let db = db(&database, 4);
    let show = priced_show(&db, 2, 1).await.id();
    let id = bookings::book(&db, &request(show, 2)).await.unwrap().booking.id();
    let holder = database.admin_client().await;
    let watcher = database.admin_client().await;
    let pid = wait::pid(&holder).await;
    let lock = "SELECT FROM bookings WHERE id = $1 FOR UPDATE";
    holder.batch_execute("BEGIN").await.unwrap();
    holder.execute(lock, &[&id.uuid()]).await.unwrap();
    let sent = success("evt_1", "pi_1", id, 2);
    let (recorded, ()) = tokio::join!(payments::record(&db, &sent, &common::NO_LIMITS), async {
        wait::until_blocked(&watcher, pid, 1).await;
        // While it waits, the lock's holder expires the booking and sells its seats.
        let expire = "UPDATE bookings SET status = 'FAILED', failure_reason = 'expired', settled_at = clock_timestamp(), \
                      created_at = created_at - interval '120 s', expires_at = expires_at - interval '120 s'";
        holder.execute(expire, &[]).await.unwrap();
        let sell = format!(
            "INSERT INTO bookings (show_id, id, user_name, seats, status, created_at, expires_at) \
             VALUES ({show}, gen_random_uuid(), 'Bob', 2, 'PENDING', clock_timestamp(), \
             clock_timestamp() + interval '2 minutes'); COMMIT"
        );
        holder.batch_execute(&sell).await.unwrap();
    });
    let sold_out = Recorded::RefundDue(RefundReason::HoldExpiredSoldOut);
    assert_eq!(recorded.unwrap(), sold_out);
    assert_eq!(
        bookings::get(&db, id, Viewer::Bearer(None)).await.unwrap().status(),
        BookingStatus::Failed(FailureReason::Expired)
    );
    assert_invariants(&watcher).await;
}
