//! Erasure: all data of one subject is removed, including what concurrent payments record.

use super::{CONFUSABLE, book, export_all, no_personal_data, of, personal, record, subject, with_payload};
use crate::common::{self, age, db, instances, pay, request, wait};
use boxoffice_shared::{
    Error,
    bookings::{self, BookRequest, BookingStatus, UserName},
    holders::{Holder, Viewer},
    payments::{PaymentChange, Recorded},
    privacy,
};
use boxoffice_testkit::{invariants::assert_invariants, postgres::Database};

#[tokio::test]
async fn erasure_removes_exactly_the_subjects_data() {
    let database = Database::create().await;
    let (db, client) = (db(&database, 1), database.client().await);
    let show = pay::priced_show(&db, 200, 4).await.id();
    let mut made = Vec::new();
    for who in CONFUSABLE {
        for key in ["one", "two"] {
            made.push((who, book(&db, &of(&subject(who), show, 1, key)).await));
        }
    }
    made.push(("", book(&db, &BookRequest { holder: Holder::of_api_key("ada").unwrap(), ..request(show, 1) }).await));
    for (n, (_, id)) in made.iter().enumerate().step_by(2) {
        record(&db, pay::success(&format!("evt_{n:02}"), &format!("pi_{n:02}"), *id, 1)).await;
    }
    let (mut gone, mut payloads) = (Vec::new(), with_payload(&client).await);
    for who in ["ada", "%", "' OR true; --"] {
        assert_eq!(privacy::erase(&db, &subject(who)).await.unwrap(), 2, "{who}");
        // A second erasure finds nothing.
        assert_eq!(privacy::erase(&db, &subject(who)).await.unwrap(), 0, "{who}");
        gone.push(who);
        let of = CONFUSABLE.iter().position(|other| *other == who).unwrap() * 2;
        payloads.retain(|event| *event != format!("evt_{of:02}"));
        for (whose, id) in &made {
            assert_eq!(
                personal(&client, *id).await == no_personal_data(),
                gone.contains(whose),
                "{whose:?} after {who:?}"
            );
        }
        assert_eq!(with_payload(&client).await, payloads);
        assert!(export_all(&db, &subject(who), "100").await.is_empty());
    }
    assert_eq!(privacy::erase(&db, &subject("nobody")).await.unwrap(), 0);
    pay::assert_reconciled(&db).await;
    assert_invariants(&client).await;
}

/// The hold continues, but only an operator can see it and nobody can cancel it.
#[tokio::test]
async fn erased_hold_continues_without_a_name() {
    let database = Database::create().await;
    let (db, client) = (db(&database, 1), database.client().await);
    let show = pay::priced_show(&db, 10, 2).await.id();
    let ada = subject("ada");
    let (paid, expires) = (book(&db, &of(&ada, show, 2, "k")).await, book(&db, &of(&ada, show, 3, "l")).await);
    assert_eq!(privacy::erase(&db, &ada).await.unwrap(), 2);
    for viewer in [Viewer::Bearer(None), Viewer::Bearer(Some(&ada))] {
        assert!(matches!(bookings::get(&db, paid, viewer).await, Err(Error::BookingNotFound)));
    }
    for who in [None, Some(&ada)] {
        assert!(matches!(bookings::cancel(&db, paid, who).await, Err(Error::BookingNotFound)));
    }
    let held = bookings::get(&db, paid, Viewer::Operator).await.unwrap();
    assert_eq!(held.status(), BookingStatus::Pending);
    assert_eq!(serde_json::to_value(&held).unwrap()["user_name"], "(erased)");
    // A payment that was already in progress.
    assert_eq!(record(&db, pay::success("evt_1", "pi_1", paid, 2)).await, Recorded::Confirmed);
    assert_eq!(with_payload(&client).await, [""; 0]);
    age(&client, expires, 120.0).await;
    assert_eq!(bookings::sweep(&db).await.unwrap(), 1);
    assert_eq!(common::free(&client, show).await.iter().sum::<i32>(), 10 - 2);
    pay::assert_reconciled(&db).await;
    assert_invariants(&client).await;
}

#[tokio::test]
async fn erasure_runs_in_batches() {
    let database = Database::create().await;
    let (db, client) = (db(&database, 1), database.client().await);
    let many = "INSERT INTO bookings (show_id, id, user_name, seats, status, failure_reason, created_at, expires_at, settled_at, holder)
        SELECT 1 + n % 3, gen_random_uuid(), 'Ada', 1, 'FAILED', 'expired', now(), now() + interval '1 minute', now(), 'sub:ada'
        FROM generate_series(1, 2100) AS n";
    client.batch_execute(many).await.unwrap();
    for expected in [1_000, 1_000, 100, 0] {
        assert_eq!(privacy::erase(&db, &subject("ada")).await.unwrap(), expected);
    }
}

/// A payment and an erasure run concurrently: whichever comes first, no payload is left.
#[tokio::test]
async fn event_recorded_during_an_erasure_is_erased_too() {
    for erasure_first in [true, false] {
        let database = Database::create().await;
        // Only a superuser can see what other sessions wait for.
        let (dbs, client) = (instances(&database.url(), 2).await, database.admin_client().await);
        let show = pay::priced_show(&dbs[0], 10, 1).await.id();
        let ada = subject("ada");
        let id = book(&dbs[0], &of(&ada, show, 2, "k")).await;
        // Another transaction has the booking's lock, and both wait for it in this order.
        let holder = database.admin_client().await;
        holder.batch_execute("BEGIN; SELECT FROM bookings FOR UPDATE").await.unwrap();
        let erase = async || privacy::erase(&dbs[0], &ada).await.unwrap();
        let pays = async || record(&dbs[1], pay::success("evt_1", "pi_1", id, 2)).await;
        let after = async |backends| wait::until_waiting(&client, backends).await;
        let free = async || {
            after(2).await;
            holder.batch_execute("COMMIT").await.unwrap();
        };
        let (erased, recorded) = if erasure_first {
            let (erased, recorded, ()) = tokio::join!(
                erase(),
                async {
                    after(1).await;
                    pays().await
                },
                free()
            );
            (erased, recorded)
        } else {
            let (erased, recorded, ()) = tokio::join!(
                async {
                    after(1).await;
                    erase().await
                },
                pays(),
                free()
            );
            (erased, recorded)
        };
        assert_eq!((erased, recorded), (1, Recorded::Confirmed));
        assert_eq!(personal(&client, id).await, no_personal_data());
        assert_eq!(with_payload(&client).await, [""; 0], "erasure first: {erasure_first}");
        pay::assert_reconciled(&dbs[0]).await;
    }
}

/// An event that does not change the booking waits for the booking's erasure all the same.
#[tokio::test]
async fn event_without_effect_waits_for_the_erasure() {
    let database = Database::create().await;
    let (db, client) = (db(&database, 1), database.client().await);
    let show = pay::priced_show(&db, 10, 1).await.id();
    let ada = subject("ada");
    let id = book(&db, &of(&ada, show, 2, "k")).await;
    let erasing = database.admin_client().await;
    erasing.batch_execute("BEGIN; SELECT erase_holder('sub:ada', 10)").await.unwrap();
    let pid = wait::pid(&erasing).await;
    let (recorded, ()) =
        tokio::join!(record(&db, pay::event("evt_1", "pi_1", Some(id), PaymentChange::Failed)), async {
            wait::until_blocked(&client, pid, 1).await;
            erasing.batch_execute("COMMIT").await.unwrap();
        });
    assert_eq!(recorded, Recorded::Kept);
    assert_eq!(with_payload(&client).await, [""; 0]);
}

/// An event locks the payment before the booking. In the other order, two events of one payment could deadlock.
#[tokio::test]
async fn event_locks_its_booking_after_its_payment() {
    let database = Database::create().await;
    let (db, client) = (db(&database, 1), database.client().await);
    let show = pay::priced_show(&db, 10, 1).await.id();
    let id = book(&db, &request(show, 2)).await;
    record(&db, pay::success("evt_1", "pi_1", id, 2)).await;
    let holder = database.admin_client().await;
    holder.batch_execute("BEGIN; SELECT FROM payments FOR UPDATE").await.unwrap();
    let pid = wait::pid(&holder).await;
    let (recorded, ()) =
        tokio::join!(record(&db, pay::event("evt_2", "pi_1", Some(id), PaymentChange::Failed)), async {
            wait::until_blocked(&client, pid, 1).await;
            client.batch_execute("SELECT FROM bookings FOR UPDATE NOWAIT").await.unwrap();
            holder.batch_execute("COMMIT").await.unwrap();
        });
    assert_eq!(recorded, Recorded::Kept);
}

/// The replacement for an erased name satisfies the rules of a name.
#[test]
fn erased_name_is_a_valid_name() {
    assert!(UserName::try_from("(erased)").is_ok());
}
