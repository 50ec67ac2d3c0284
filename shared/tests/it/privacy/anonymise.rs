//! Retention: the job that anonymises old bookings and empties payloads.

use super::{book, no_personal_data, of, personal, record, subject, with_payload};
use crate::common::{self, age, db, instances, keyed, pay, request, show};
use boxoffice_shared::{
    Error,
    bookings::{self, BookingStatus, FailureReason},
    holders::Viewer,
    payments::{PaymentChange, Recorded, Refund},
    platform::db::Db,
    privacy::{self, Anonymised, DueShow, Retention},
    shows::ShowId,
};
use boxoffice_testkit::{invariants::assert_invariants, postgres::Database};
use tokio_postgres::Client;

const DAY: f64 = 86_400.0;

fn days(days: i32) -> Retention {
    Retention::try_from(days).unwrap()
}

/// Moves the start of a show this many seconds into the past.
async fn started(client: &Client, show: ShowId, seconds: f64) {
    let sql = "UPDATE shows SET start_time = now() - make_interval(secs => $2) WHERE id = $1";
    assert_eq!(client.execute(sql, &[&show.get(), &seconds]).await.unwrap(), 1);
}

/// Returns the due shows, in the order in which the job anonymises them.
async fn due_shows(db: &Db, retention: Retention) -> Vec<DueShow> {
    let (mut all, mut after) = (Vec::new(), None);
    while let Some(show) = privacy::due_show(db, retention, after).await.unwrap() {
        after = Some(show);
        all.push(show);
    }
    all
}

/// Returns the only show that is due after a retention of one day.
async fn due_show(db: &Db) -> DueShow {
    let due = due_shows(db, days(1)).await;
    assert_eq!(due.len(), 1, "{due:?}");
    due[0]
}

/// Anonymises all pages of a show. Returns how many bookings were anonymised on each page, and how many were left in
/// total.
async fn anonymise(db: &Db, show: DueShow) -> (Vec<u64>, u64) {
    let (mut pages, mut left, mut after) = (Vec::new(), 0, None);
    loop {
        let Anonymised { bookings, left: more, last } = privacy::anonymise(db, show, after).await.unwrap();
        left += more;
        if last.is_none() {
            return (pages, left);
        }
        pages.push(bookings);
        after = last;
    }
}

async fn is_marked(client: &Client, show: ShowId) -> bool {
    let sql = "SELECT anonymised_at IS NOT NULL FROM shows WHERE id = $1";
    client.query_one(sql, &[&show.get()]).await.unwrap().get(0)
}

/// The database's clock decides, to the second. The oldest show comes first; anonymised shows are not due.
#[tokio::test]
async fn show_is_due_exactly_when_its_retention_ends() {
    let database = Database::create().await;
    let (db, client) = (db(&database, 1), database.client().await);
    let mut shows = Vec::new();
    for seconds in [10.0 * DAY - 30.0, 10.0 * DAY, 30.0 * DAY, 20.0 * DAY, -1.0] {
        let id = show(&db, 10, 1).await.id();
        started(&client, id, seconds).await;
        shows.push(id);
    }
    let due = async |retention| due_shows(&db, retention).await.iter().map(|show| show.id()).collect::<Vec<_>>();
    assert_eq!(due(days(10)).await, [shows[2], shows[3], shows[1]]);
    assert_eq!(due(days(20)).await, [shows[2], shows[3]]);
    assert!(due(Retention::DEFAULT).await.is_empty());
    let oldest = due_shows(&db, days(10)).await[0];
    privacy::mark_anonymised(&db, oldest).await.unwrap();
    assert_eq!(due(days(10)).await, [shows[3], shows[1]]);
    // Half a minute later, the first show is due as well.
    started(&client, shows[0], 10.0 * DAY).await;
    assert_eq!(due(days(10)).await.len(), 3);
}

#[tokio::test]
async fn shows_with_equal_start_times_are_each_due_once() {
    let database = Database::create().await;
    let (db, client) = (db(&database, 1), database.client().await);
    for _ in 0..3 {
        show(&db, 10, 1).await;
    }
    client.batch_execute("UPDATE shows SET start_time = now() - interval '2 days'").await.unwrap();
    assert_eq!(due_shows(&db, days(1)).await.len(), 3);
}

#[tokio::test]
async fn old_bookings_are_anonymised_but_pending_holds_are_not() {
    let database = Database::create().await;
    let (db, client) = (db(&database, 1), database.client().await);
    let show = pay::priced_show(&db, 100, 4).await.id();
    let ada = subject("ada");
    let (sold, cancelled, anonymous) = (of(&ada, show, 2, "a"), of(&ada, show, 1, "b"), keyed(show, 3, "c"));
    let (sold, cancelled, anonymous) =
        (book(&db, &sold).await, book(&db, &cancelled).await, book(&db, &anonymous).await);
    let pending = book(&db, &of(&ada, show, 1, "d")).await;
    record(&db, pay::success("evt_1", "pi_1", sold, 2)).await;
    bookings::cancel(&db, cancelled, Some(&ada)).await.unwrap();
    bookings::confirm(&db, anonymous).await.unwrap();
    started(&client, show, 2.0 * DAY).await;
    let before = bookings::get(&db, sold, Viewer::Operator).await.unwrap();

    assert_eq!(anonymise(&db, due_show(&db).await).await, (vec![3], 1));
    for id in [sold, cancelled, anonymous] {
        assert_eq!(personal(&client, id).await, no_personal_data());
    }
    let (name, holder, key, marked) = personal(&client, pending).await;
    assert_eq!(
        (name.as_str(), holder.as_deref(), key.as_deref(), marked),
        ("Ada", Some("sub:ada"), Some("sub:ada d"), false)
    );
    assert_eq!(with_payload(&client).await, [""; 0]);
    // A second run changes nothing.
    assert_eq!(anonymise(&db, due_show(&db).await).await, (vec![0], 1));
    // The other columns are unchanged, and operators can see the booking.
    let after = bookings::get(&db, sold, Viewer::Operator).await.unwrap();
    assert_eq!((after.status(), after.seats(), after.amount()), (before.status(), before.seats(), before.amount()));
    assert!(matches!(bookings::get(&db, sold, Viewer::Bearer(Some(&ada))).await, Err(Error::BookingNotFound)));

    // After the hold has ended, it is anonymised too, and none is left.
    age(&client, pending, 120.0).await;
    bookings::sweep(&db).await.unwrap();
    assert_eq!(anonymise(&db, due_show(&db).await).await, (vec![1], 0));
    pay::assert_reconciled(&db).await;
    assert_invariants(&client).await;
}

/// The job skips a locked booking without waiting, and anonymises it in its next run.
#[tokio::test]
async fn locked_booking_is_left_for_the_next_run() {
    let database = Database::create().await;
    let (db, client) = (db(&database, 1), database.client().await);
    let show = show(&db, 100, 4).await.id();
    let ids = [book(&db, &request(show, 1)).await, book(&db, &request(show, 1)).await];
    for id in ids {
        bookings::confirm(&db, id).await.unwrap();
    }
    started(&client, show, 2.0 * DAY).await;
    let holder = database.admin_client().await;
    holder.batch_execute("BEGIN").await.unwrap();
    holder.execute("SELECT FROM bookings WHERE id = $1 FOR UPDATE", &[&ids[0].uuid()]).await.unwrap();
    assert_eq!(anonymise(&db, due_show(&db).await).await, (vec![1], 1));
    holder.batch_execute("COMMIT").await.unwrap();
    assert_eq!(anonymise(&db, due_show(&db).await).await, (vec![1], 0));
    assert_eq!(personal(&client, ids[0]).await, no_personal_data());
}

/// Several pages, a run that stops in the middle, then two concurrent runs: each booking is anonymised once.
#[tokio::test]
async fn show_with_20_000_bookings_is_anonymised_in_pages() {
    let database = Database::create().await;
    let (dbs, client) = (instances(&database.url(), 3).await, database.client().await);
    let db = &dbs[0];
    let show = show(db, 20_000, 4).await.id();
    let fill = "WITH sold AS (
            INSERT INTO bookings (show_id, id, user_name, seats, status, created_at, expires_at, settled_at, holder, idempotency_key)
            SELECT $1, gen_random_uuid(), 'Ada', 1, 'CONFIRMED', now(), now() + interval '1 minute', now(), 'sub:ada' || n, 'sub:ada' || n || ' k'
            FROM generate_series(1, 20000) AS n
        )
        UPDATE seat_pools SET free = 0 WHERE show_id = $1";
    client.execute(fill, &[&show.get()]).await.unwrap();
    started(&client, show, 2.0 * DAY).await;
    let due = due_show(db).await;
    // The first run stops after three pages.
    let mut after = None;
    for _ in 0..3 {
        let page = privacy::anonymise(db, due, after).await.unwrap();
        assert_eq!((page.bookings, page.left), (1_000, 0));
        after = page.last;
    }
    // Two concurrent runs do the rest: neither repeats the other's bookings, and none is left.
    let (one, two) = tokio::join!(anonymise(&dbs[1], due), anonymise(&dbs[2], due));
    assert_eq!((one.0.len(), two.0.len()), (20, 20));
    assert_eq!(one.0.iter().chain(&two.0).sum::<u64>(), 17_000);
    let sql = "SELECT count(*) FILTER (WHERE user_name = '(erased)' AND holder IS NULL AND idempotency_key IS NULL) FROM bookings";
    assert_eq!(client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0), 20_000);
    // The next run finds nothing left and marks the show.
    assert_eq!(anonymise(db, due).await, (vec![0; 20], 0));
    privacy::mark_anonymised(db, due).await.unwrap();
    assert!(is_marked(&client, show).await);
    assert_eq!(privacy::due_show(db, days(1), None).await.unwrap(), None);
    assert_invariants(&client).await;
}

/// A payment's later events still apply to an anonymised booking, and do not restore its name.
#[tokio::test]
async fn late_refund_of_an_anonymised_booking_releases_its_seats_once() {
    let database = Database::create().await;
    let (db, client) = (db(&database, 1), database.client().await);
    let show = pay::priced_show(&db, 10, 2).await.id();
    let ids = [book(&db, &request(show, 2)).await, book(&db, &request(show, 3)).await];
    record(&db, pay::success("evt_1", "pi_1", ids[0], 2)).await;
    record(&db, pay::success("evt_2", "pi_2", ids[1], 3)).await;
    started(&client, show, 2.0 * DAY).await;
    assert_eq!(anonymise(&db, due_show(&db).await).await, (vec![2], 0));
    privacy::mark_anonymised(&db, due_show(&db).await).await.unwrap();

    // A refund names only the payment.
    let refund = |id: &str| pay::event(id, "pi_1", None, PaymentChange::Refunded(Refund::Full));
    assert_eq!(record(&db, refund("evt_3")).await, Recorded::Refunded);
    assert_eq!(record(&db, refund("evt_3")).await, Recorded::Repeated);
    assert_eq!(record(&db, refund("evt_4")).await, Recorded::Kept);
    // An event that names the booking but has no effect.
    record(&db, pay::event("evt_5", "pi_9", Some(ids[1]), PaymentChange::Other)).await;
    let refunded = bookings::get(&db, ids[0], Viewer::Operator).await.unwrap();
    assert_eq!(refunded.status(), BookingStatus::Failed(FailureReason::Refunded));
    assert_eq!(common::free(&client, show).await.iter().sum::<i32>(), 10 - 3);
    assert_eq!(personal(&client, ids[0]).await, no_personal_data());
    assert_eq!(with_payload(&client).await, [""; 0]);
    pay::assert_reconciled(&db).await;
    assert_invariants(&client).await;
}

/// Many refunds and two runs of the job, all concurrent: each refund takes effect, and all bookings are anonymised.
#[tokio::test]
async fn refunds_succeed_while_the_retention_job_runs() {
    let database = Database::create().await;
    let (dbs, client) = (instances(&database.url(), 5).await, database.client().await);
    let show = pay::priced_show(&dbs[0], 200, 4).await.id();
    for n in 0..200 {
        let id = book(&dbs[0], &request(show, 1)).await;
        record(&dbs[0], pay::success(&format!("evt_{n}"), &format!("pi_{n}"), id, 1)).await;
    }
    started(&client, show, 2.0 * DAY).await;
    let due = due_show(&dbs[0]).await;
    let refunds = async |db: &Db, first: usize| {
        for n in (first..200).step_by(3) {
            let refund =
                pay::event(&format!("back_{n}"), &format!("pi_{n}"), None, PaymentChange::Refunded(Refund::Full));
            // The refund gets the booking's lock within 2 s, whatever the job does.
            assert_eq!(record(db, refund).await, Recorded::Refunded);
        }
    };
    let job = async |db: &Db| while anonymise(db, due).await.1 > 0 {};
    tokio::join!(job(&dbs[0]), job(&dbs[1]), refunds(&dbs[2], 0), refunds(&dbs[3], 1), refunds(&dbs[4], 2));
    assert_eq!(anonymise(&dbs[0], due).await, (vec![0], 0));
    assert_eq!(common::free(&client, show).await.iter().sum::<i32>(), 200);
    assert_eq!(with_payload(&client).await, [""; 0]);
    pay::assert_reconciled(&dbs[0]).await;
    assert_invariants(&client).await;
}

/// The time of receipt decides. The other columns of the event stay.
#[tokio::test]
async fn payloads_are_emptied_after_their_retention() {
    let database = Database::create().await;
    let (db, client) = (db(&database, 1), database.client().await);
    let show = pay::priced_show(&db, 10, 2).await.id();
    let id = book(&db, &request(show, 2)).await;
    record(&db, pay::success("evt_1", "pi_1", id, 2)).await;
    record(&db, pay::event("evt_2", "pi_2", Some(id), PaymentChange::Other)).await;
    record(&db, pay::event("evt_3", "pi_3", Some(id), PaymentChange::Failed)).await;
    let old = "UPDATE payment_events SET received_at = now() - make_interval(secs => CASE event_id
        WHEN 'evt_1' THEN 864000 WHEN 'evt_2' THEN 864000 - 30 ELSE 0 END)";
    client.batch_execute(old).await.unwrap();
    assert_eq!(privacy::empty_payloads(&db, days(10)).await.unwrap(), 1);
    assert_eq!(with_payload(&client).await, ["evt_2", "evt_3"]);
    assert_eq!(privacy::empty_payloads(&db, days(10)).await.unwrap(), 0);
    let sql = "SELECT concat_ws(' ', type, payment_id, change, outcome, amount_minor) FROM payment_events WHERE event_id = 'evt_1'";
    assert_eq!(client.query_one(sql, &[]).await.unwrap().get::<_, String>(0), "test pi_1 succeeded confirmed 5000");
    // The event is still recognised when it is repeated.
    assert_eq!(record(&db, pay::success("evt_1", "pi_1", id, 2)).await, Recorded::Repeated);
    assert_eq!(with_payload(&client).await, ["evt_2", "evt_3"]);
    pay::assert_reconciled(&db).await;
}

#[tokio::test]
async fn payloads_are_emptied_in_batches() {
    let database = Database::create().await;
    let (db, client) = (db(&database, 1), database.client().await);
    let many = "INSERT INTO payment_events (provider, event_id, type, occurred_at, received_at, change, outcome, payload)
        SELECT 'stripe', n, 't', now(), now() - interval '2 days', 'other', 'kept', repeat('x', 5000) FROM generate_series(1, 2500) AS n";
    client.batch_execute(many).await.unwrap();
    for expected in [1_000, 1_000, 500, 0] {
        assert_eq!(privacy::empty_payloads(&db, days(1)).await.unwrap(), expected);
    }
}
