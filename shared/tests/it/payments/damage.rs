//! Database functions without a lock or a step do damage, and the checks find every kind of damage.

use crate::common::{
    self, age_all, broken, db,
    pay::{assert_reconciled, event, priced_show, success},
    request, wait,
};
use boxoffice_shared::{
    bookings::{self, BookingId},
    checks,
    payments::{self, PaymentChange, PaymentEvent, Recorded, Refund},
};
use boxoffice_testkit::{invariants::violations, postgres::Database};
use tokio_postgres::Client;

/// The migrations that define the functions which these tests alter.
const FUNCTIONS: [&str; 2] = [
    include_str!("../../../../migrations/V3__payments.sql"),
    include_str!("../../../../migrations/V19__payment_functions.sql"),
];

/// Replaces the functions in the test's database. In each pair, the first text, which must occur exactly once, becomes
/// the second.
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

/// A late payment that does not take the seats again sells them twice. The checks must find that.
#[tokio::test]
async fn checks_find_a_late_payment_that_took_no_seats() {
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

/// Without the payment locks, a concurrent refund and success each see the state before the other.
#[tokio::test]
async fn without_the_payment_locks_a_refunded_payment_is_confirmed() {
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
            // The trigger also waits for the booking, at the end of each event. It must not replace the removed lock.
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
        // The success waits for the booking's lock while the refund arrives.
        let holder = database.admin_client().await;
        holder.batch_execute("BEGIN").await.unwrap();
        holder.execute("SELECT FROM bookings WHERE id = $1 FOR UPDATE", &[&id.uuid()]).await.unwrap();
        let holder_pid = wait::pid(&holder).await;
        let sent = success(&format!("b{broken}"), &payment, id, 2);
        let refund = event(&format!("c{broken}"), &payment, Some(id), PaymentChange::Refunded(Refund::Full));
        let (paid, refunded, ()) = tokio::join!(
            payments::record(&db, &sent, &common::NO_LIMITS),
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

/// Damages the database by task in each way: the checks find it and name the rule.
#[tokio::test]
async fn checks_find_each_kind_of_damage() {
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
        // Payments that name no show, or a show that does not exist.
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
        // More shows than one statement checks.
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
