//! Payments against expiry, cancellation, confirmation and each other, in many orders: nothing is counted twice or lost.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use crate::common::{
    self, age, age_all, broken, db, instances,
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
use boxoffice_testkit::{
    invariants::{assert_invariants, violations},
    postgres::Database,
    rng::SeededRng,
};
use rand::{RngExt as _, seq::SliceRandom as _};
use tokio::task::JoinSet;
use tokio_postgres::Client;

/// Tasks that race for one booking at once.
const HANDS: usize = 6;

/// One of those who want something of a booking.
#[derive(Clone, Debug)]
enum Wish {
    Record(Box<PaymentEvent>),
    Expire,
    Sweep,
    Cancel,
    Confirm,
    Extend,
}

/// All that is wanted of one booking in one round: up to three payments, each with some of its events, some of them
/// delivered twice, and those who expire and cancel. Shuffled.
fn wishes(rng: &mut SeededRng, round: &str, id: BookingId) -> Vec<Wish> {
    let mut all = vec![Wish::Expire];
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
            let told = event(&format!("evt_{payment}_{n}"), &payment, Some(id), change);
            for _ in 0..rng.random_range(1..=2) {
                all.push(Wish::Record(Box::new(told.clone())));
            }
        }
    }
    for (chance, wish) in [(0.3, Wish::Sweep), (0.25, Wish::Cancel), (0.1, Wish::Confirm), (0.2, Wish::Extend)] {
        if rng.random_bool(chance) {
            all.push(wish);
        }
    }
    all.shuffle(&mut **rng);
    all
}

async fn fulfil(db: &Db, id: BookingId, wish: Wish) -> Option<Recorded> {
    match wish {
        Wish::Record(told) => return Some(payments::record(db, &told, &common::NO_LIMITS).await.unwrap()),
        Wish::Expire => drop(bookings::expire(db, &BTreeSet::from([id])).await.unwrap()),
        Wish::Sweep => drop(bookings::sweep(db).await.unwrap()),
        // These may be refused, and must not break anything.
        Wish::Cancel => drop(bookings::cancel(db, id, None).await),
        Wish::Confirm => drop(bookings::confirm(db, id).await),
        Wish::Extend => drop(bookings::extend(db, id, None, Hold::DEFAULT, Duration::from_secs(600)).await),
    }
    None
}

/// Moves the end of the hold to somewhere near.
async fn end_soon(client: &Client, rng: &mut SeededRng, id: BookingId) {
    let left = [-5.0, 0.001, 0.003, 100.0][rng.random_range(0..4)];
    age(client, id, 120.0 - left).await;
}

/// One booking, and all who want something of it, over several connections at once. The show has 2 to 4 seats, and another
/// buyer may hold the rest: so a late payment may find none.
async fn round(dbs: &[Db], client: &Client, rng: &mut SeededRng, name: &str, show: ShowId) {
    let id = bookings::book(&dbs[0], &request(show, 2)).await.unwrap().booking.id();
    let rival = if rng.random_bool(0.5) { Some(request(show, 2)) } else { None };
    end_soon(client, rng, id).await;
    let wishes = wishes(rng, name, id);
    let mut hands = JoinSet::new();
    for (hand, db) in dbs.iter().enumerate() {
        let mine: Vec<_> = wishes.iter().skip(hand).step_by(dbs.len()).cloned().collect();
        let (db, rival, pauses) = (db.clone(), rival.clone().filter(|_| hand == 0), rng.random_range(0..8));
        hands.spawn(async move {
            for _ in 0..pauses {
                tokio::task::yield_now().await;
            }
            if let Some(rival) = rival {
                // It may be sold out.
                drop(bookings::book(&db, &rival).await);
            }
            for wish in mine {
                fulfil(&db, id, wish).await;
            }
        });
    }
    while let Some(done) = hands.join_next().await {
        done.unwrap();
    }
    let case = format!("{name}: {wishes:?}");
    assert_each_payment_is_decided(client, name, id, &wishes, &case).await;
}

/// For each payment whose success was told: exactly one of the three, and the booking says the same.
async fn assert_each_payment_is_decided(client: &Client, name: &str, id: BookingId, wishes: &[Wish], case: &str) {
    let sql = "SELECT payment_id, state, succeeded_at IS NOT NULL FROM payments WHERE payment_id LIKE $1";
    let rows = client.query(sql, &[&format!("pi\\_{name}\\_%")]).await.unwrap();
    let told: BTreeSet<_> = wishes.iter().filter_map(success_of).collect();
    let mut confirmed = 0;
    for row in &rows {
        let (payment, state, succeeded): (String, String, bool) = (row.get(0), row.get(1), row.get(2));
        assert_eq!(succeeded, told.contains(&payment), "{payment}; {case}");
        let decided = ["confirmed", "refund_due", "refunded"].contains(&state.as_str());
        assert!(decided || !succeeded, "{payment} is {state}; {case}");
        confirmed += u64::from(state == "confirmed");
    }
    let known = rows.iter().map(|row| row.get::<_, String>(0)).collect();
    assert!(told.is_subset(&known), "{case}");
    let row = client
        .query_one(
            "SELECT status, failure_reason FROM bookings WHERE show_id = $1 AND id = $2",
            &[&id.show_id().get(), &id.uuid()],
        )
        .await
        .unwrap();
    let (status, reason): (String, Option<String>) = (row.get(0), row.get(1));
    let by_operator = wishes.iter().any(|wish| matches!(wish, Wish::Confirm));
    assert!(confirmed <= 1, "{case}");
    assert!(confirmed == 0 || status == "CONFIRMED", "paid, and {status}; {case}");
    assert!(status != "CONFIRMED" || confirmed == 1 || by_operator, "confirmed, and not paid; {case}");
    assert!(reason.as_deref() != Some("refunded") || confirmed == 0, "{case}");
}

fn success_of(wish: &Wish) -> Option<String> {
    match wish {
        Wish::Record(told) if matches!(told.change, PaymentChange::Succeeded(_)) => {
            told.payment_id.as_ref().map(ToString::to_string)
        }
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_interleavings_lose_and_double_no_payment() {
    const LANES: usize = 3;
    const ROUNDS: usize = 2_000;
    let database = Database::create().await;
    let client = Arc::new(database.client().await);
    let all = instances(&database.url(), LANES * HANDS).await;
    let seed = SeededRng::new();
    let mut lanes = JoinSet::new();
    for (lane, dbs) in all.chunks(HANDS).enumerate() {
        let (dbs, client) = (dbs.to_vec(), client.clone());
        let mut rng = SeededRng::from_seed(seed.seed().wrapping_add(lane as u64));
        lanes.spawn(async move {
            for n in 0..ROUNDS.div_ceil(LANES) {
                let seats = rng.random_range(2..=4);
                let show = priced_show(&dbs[0], seats, rng.random_range(1..=2)).await.id();
                round(&dbs, &client, &mut rng, &format!("{lane}x{n}"), show).await;
                // The show's seats. Its payments are walked through with all others, at the end: nobody changes them again.
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
    // The rounds should bring about everything.
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

/// The payment waits for the booking's lock until the hold is over and its seats are given back: it must take them anew,
/// and not confirm what it saw before it waited.
#[tokio::test]
async fn a_payment_that_waited_past_the_end_of_the_hold_sees_that_it_is_over() {
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
    let told = success("evt_1", "pi_1", id, 2);
    let (recorded, ()) = tokio::join!(payments::record(&db, &told, &common::NO_LIMITS), async {
        wait::until_blocked(&watcher, pid, 1).await;
        // While it waits the holder expires the booking, and another takes its seats.
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

/// The migrations that have the functions, to be altered in one test's database.
const FUNCTIONS: [&str; 2] = [
    include_str!("../../../../migrations/V3__payments.sql"),
    include_str!("../../../../migrations/V19__payment_functions.sql"),
];

/// Replaces the functions by ones in which each of these parts, which stands there once, is the other.
async fn alter(client: &Client, parts: &[(&str, &str)]) {
    let between = |text: &'static str, from: &str, to: Option<&str>| {
        let from = text.find(from).unwrap();
        &text[from..to.map_or(text.len(), |to| text.find(to).unwrap())]
    };
    let functions = [
        between(FUNCTIONS[0], "-- Takes seats for a booking", Some("-- Pays for a booking")),
        between(FUNCTIONS[1], "-- Locks a holder of a show", None),
    ];
    let functions = functions.concat().replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION");
    let altered = parts.iter().fold(functions, |text, (part, by)| broken::altered(&text, part, by));
    client.batch_execute(&altered).await.unwrap();
}

/// A late payment that does not take the seats again sells them twice: the check must see it.
#[tokio::test]
async fn a_late_payment_that_takes_no_seats_is_found() {
    let database = Database::create().await;
    let (db, client) = (db(&database, 1), database.client().await);
    alter(&client, &[("booking.status = 'FAILED' AND NOT take_seats(the_show, booking.seats)", "false")]).await;
    let show = priced_show(&db, 10, 2).await.id();
    let id = bookings::book(&db, &request(show, 3)).await.unwrap().booking.id();
    age_all(&client, 120.0).await;
    bookings::sweep(&db).await.unwrap();
    assert_eq!(
        payments::record(&db, &success("evt_1", "pi_1", id, 3), &common::NO_LIMITS).await.unwrap(),
        Recorded::Confirmed
    );
    let found = checks::check(&db).await.unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].rule, checks::Rule::Seats);
    assert_eq!(violations(&client).await.len(), 1);
}

/// Without the payment's lock, a refund and a success at once may each see what was before the other.
#[tokio::test]
async fn a_payment_that_is_not_locked_confirms_what_was_refunded() {
    let database = Database::create().await;
    let (db, client) = (db(&database, 4), database.admin_client().await);
    let show = priced_show(&db, 10, 2).await.id();
    for (broken, state) in [(false, "refunded"), (true, "confirmed")] {
        if broken {
            let locks = [
                ("PERFORM pg_advisory_xact_lock(1, hashtext(named.show_id || '-' || named.booking_id));", "NULL;"),
                ("PERFORM pg_advisory_xact_lock(2, hashtext(the_provider || ' ' || the_payment));", "NULL;"),
                ("payment_id = the_payment FOR UPDATE;\n    is_new", "payment_id = the_payment;\n    is_new"),
            ];
            alter(&client, &locks).await;
            // It waits for the booking as well, at the end of each event: no lock shall stand in for the one that is gone.
            let trigger = "ALTER TABLE payment_events DISABLE TRIGGER payment_events_of_anonymised";
            client.batch_execute(trigger).await.unwrap();
        }
        let id = bookings::book(&db, &request(show, 2)).await.unwrap().booking.id();
        let payment = format!("pi_{broken}");
        payments::record(
            &db,
            &event(&format!("a{broken}"), &payment, Some(id), PaymentChange::Failed),
            &common::NO_LIMITS,
        )
        .await
        .unwrap();
        // The success stands behind the booking's lock; the refund comes meanwhile.
        let holder = database.admin_client().await;
        holder.batch_execute("BEGIN").await.unwrap();
        holder.execute("SELECT FROM bookings WHERE id = $1 FOR UPDATE", &[&id.uuid()]).await.unwrap();
        let holder_pid = wait::pid(&holder).await;
        let told = success(&format!("b{broken}"), &payment, id, 2);
        let refund = event(&format!("c{broken}"), &payment, Some(id), PaymentChange::Refunded(Refund::Full));
        let (paid, refunded, ()) = tokio::join!(
            payments::record(&db, &told, &common::NO_LIMITS),
            async {
                wait::until_blocked(&client, holder_pid, 1).await;
                payments::record(&db, &refund, &common::NO_LIMITS).await
            },
            async {
                wait::until_blocked(&client, holder_pid, 1).await;
                if broken {
                    let sql = "SELECT count(*) FROM payment_events WHERE change = 'refunded'";
                    wait::until("the refund is recorded", async || {
                        client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) == 2
                    })
                    .await;
                } else {
                    wait::until_waiting(&client, 2).await;
                }
                holder.batch_execute("COMMIT").await.unwrap();
            }
        );
        assert_eq!((paid.unwrap(), refunded.unwrap()), (Recorded::Confirmed, Recorded::Refunded));
        assert_eq!(common::pay::payment(&client, &payment).await.0, state, "without the lock: {broken}");
    }
}

/// A success that names no booking.
fn none(id: &str, payment: &str) -> PaymentEvent {
    event(id, payment, None, PaymentChange::Succeeded(common::pay::eur(7_500)))
}

/// What nobody should do by hand, done by hand: each is found and named.
#[tokio::test]
async fn each_kind_of_damage_is_found() {
    use checks::Rule;
    for (damage, rules) in [
        ("UPDATE seat_pools SET free = free + 1 WHERE pool_no = 0 AND show_id = 13", &[Rule::Seats][..]),
        (
            "UPDATE bookings SET status = 'PENDING', settled_at = NULL WHERE status = 'CONFIRMED'",
            &[Rule::PaidIsConfirmed],
        ),
        ("UPDATE payments SET booking_id = gen_random_uuid() WHERE state = 'confirmed'", &[Rule::PaidIsConfirmed]),
        ("UPDATE payments SET amount_minor = 1 WHERE state = 'confirmed'", &[Rule::PaidIsItsAmount]),
        (
            "DROP INDEX payments_one_confirmed; UPDATE payments SET state = 'confirmed' WHERE payment_id = 'pi_1'",
            &[Rule::PaidOnce],
        ),
        (
            "ALTER TABLE payments DROP CONSTRAINT payments_success_is_decided;
             UPDATE payments SET state = 'pending' WHERE payment_id = 'pi_1'",
            &[Rule::SuccessIsDecided],
        ),
        ("DELETE FROM payments WHERE payment_id = 'pi_1'", &[Rule::SuccessIsDecided]),
        (
            "UPDATE bookings SET status = 'FAILED', failure_reason = 'refunded' WHERE status = 'CONFIRMED'",
            &[Rule::Seats, Rule::PaidIsConfirmed, Rule::RefundedHasRefund],
        ),
        // What names no show, and a show that does not exist.
        ("DELETE FROM payments WHERE show_id IS NULL", &[Rule::SuccessIsDecided]),
        (
            "ALTER TABLE payments DROP CONSTRAINT payments_success_is_decided;
             UPDATE payments SET state = 'failed' WHERE show_id IS NULL",
            &[Rule::SuccessIsDecided],
        ),
        ("DELETE FROM payments WHERE show_id = 999999", &[Rule::SuccessIsDecided]),
        ("UPDATE payments SET state = 'confirmed' WHERE show_id = 999999", &[Rule::PaidIsConfirmed]),
    ] {
        let database = Database::create().await;
        let (db, client) = (db(&database, 1), database.client().await);
        // More shows than one statement looks at.
        let mut show = priced_show(&db, 10, 2).await.id();
        for _ in 0..12 {
            show = priced_show(&db, 10, 2).await.id();
        }
        let id = bookings::book(&db, &request(show, 3)).await.unwrap().booking.id();
        for n in 0..2 {
            payments::record(&db, &success(&format!("evt_{n}"), &format!("pi_{n}"), id, 3), &common::NO_LIMITS)
                .await
                .unwrap();
        }
        let nowhere = BookingId::generate("999999".parse().unwrap());
        for event in [success("evt_nowhere", "pi_nowhere", nowhere, 3), none("evt_none", "pi_none")] {
            let recorded = payments::record(&db, &event, &common::NO_LIMITS).await.unwrap();
            assert!(matches!(recorded, Recorded::RefundDue(_) | Recorded::Unclaimed));
        }
        assert_reconciled(&db).await;
        client.batch_execute(damage).await.unwrap();
        let found = checks::check(&db).await.unwrap();
        let mut broken: Vec<_> = found.iter().map(|violation| violation.rule).collect();
        broken.sort();
        broken.dedup();
        assert_eq!(broken, rules, "{damage}: {found:?}");
    }
}
