//! What becomes of personal data: it goes with time, and on the word of whom it is about.

use crate::common::{self, age, db, instances, keyed, pay, request, show, wait};
use boxoffice_shared::{
    Error,
    bookings::{self, BookRequest, BookingId, BookingStatus, FailureReason, UserName},
    holders::{Holder, Subject, Viewer},
    page::{PageLimit, Position},
    payments::{self, PaymentChange, PaymentEvent, Recorded, Refund},
    platform::db::Db,
    privacy::{self, Anonymised, DueShow, Retention, SubjectBooking, SubjectCursor},
    shows::ShowId,
};
use boxoffice_testkit::{invariants::assert_invariants, postgres::Database};
use serde_json::{Value, json};
use tokio_postgres::Client;

const DAY: f64 = 86_400.0;

fn days(days: i32) -> Retention {
    Retention::try_from(days).unwrap()
}

fn subject(name: &str) -> Subject {
    Subject::try_from(name).unwrap()
}

/// Moves the start of a show this many seconds into the past.
async fn started(client: &Client, show: ShowId, seconds: f64) {
    let sql = "UPDATE shows SET start_time = now() - make_interval(secs => $2) WHERE id = $1";
    assert_eq!(client.execute(sql, &[&show.get(), &seconds]).await.unwrap(), 1);
}

/// The shows that are due, in their order.
async fn due_shows(db: &Db, retention: Retention) -> Vec<DueShow> {
    let (mut all, mut after) = (Vec::new(), None);
    while let Some(show) = privacy::due_show(db, retention, after).await.unwrap() {
        after = Some(show);
        all.push(show);
    }
    all
}

/// The one show that is due after a day.
async fn due_show(db: &Db) -> DueShow {
    let due = due_shows(db, days(1)).await;
    assert_eq!(due.len(), 1, "{due:?}");
    due[0]
}

/// All pages of a show: how many bookings were anonymised on each, and how many were left in all.
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

/// A booking of somebody with a token, who sent a key.
fn of(who: &Subject, show: ShowId, seats: i64, key: &str) -> BookRequest {
    BookRequest { holder: Holder::of_subject(who), ..keyed(show, seats, key) }
}

async fn book(db: &Db, request: &BookRequest) -> BookingId {
    bookings::book(db, request).await.unwrap().booking.id()
}

/// What there is of somebody in a booking: name, holder and key, and whether it is marked.
async fn personal(client: &Client, id: BookingId) -> (String, Option<String>, Option<String>, bool) {
    let sql = "SELECT user_name, holder, idempotency_key, anonymised_at IS NOT NULL FROM bookings WHERE show_id = $1 AND id = $2";
    let row = client.query_one(sql, &[&id.show_id().get(), &id.uuid()]).await.unwrap();
    (row.get(0), row.get(1), row.get(2), row.get(3))
}

fn nobody() -> (String, Option<String>, Option<String>, bool) {
    ("(erased)".into(), None, None, true)
}

/// The event with a payload that tells who paid.
fn telling(event: PaymentEvent) -> PaymentEvent {
    PaymentEvent { payload: r#"{"name": "Ada Lovelace", "email": "ada@example.org"}"#.into(), ..event }
}

async fn record(db: &Db, event: PaymentEvent) -> Recorded {
    payments::record(db, &telling(event), &common::NO_LIMITS).await.unwrap()
}

/// The ids of the events that still have their payload.
async fn with_payload(client: &Client) -> Vec<String> {
    let rows = client.query("SELECT event_id FROM payment_events WHERE payload <> '' ORDER BY 1", &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

async fn is_marked(client: &Client, show: ShowId) -> bool {
    let sql = "SELECT anonymised_at IS NOT NULL FROM shows WHERE id = $1";
    client.query_one(sql, &[&show.get()]).await.unwrap().get(0)
}

// ------------------------------------------------------------------------------------------------------ retention

/// By the database's clock, to the second; the oldest first, and none that is marked.
#[tokio::test]
async fn a_show_is_due_so_many_days_after_its_start_and_no_earlier() {
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
    // Half a minute later the first one is due as well.
    started(&client, shows[0], 10.0 * DAY).await;
    assert_eq!(due(days(10)).await.len(), 3);
}

/// Two that start at one moment are two.
#[tokio::test]
async fn shows_of_one_moment_are_each_due_once() {
    let database = Database::create().await;
    let (db, client) = (db(&database, 1), database.client().await);
    for _ in 0..3 {
        show(&db, 10, 1).await;
    }
    client.batch_execute("UPDATE shows SET start_time = now() - interval '2 days'").await.unwrap();
    assert_eq!(due_shows(&db, days(1)).await.len(), 3);
}

#[tokio::test]
async fn old_bookings_lose_their_names_and_pending_ones_do_not() {
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
        assert_eq!(personal(&client, id).await, nobody());
    }
    let (name, holder, key, marked) = personal(&client, pending).await;
    assert_eq!(
        (name.as_str(), holder.as_deref(), key.as_deref(), marked),
        ("Ada", Some("sub:ada"), Some("sub:ada d"), false)
    );
    assert_eq!(with_payload(&client).await, [""; 0]);
    // Again does nothing more.
    assert_eq!(anonymise(&db, due_show(&db).await).await, (vec![0], 1));
    // All else is as it was, and operators see it.
    let after = bookings::get(&db, sold, Viewer::Operator).await.unwrap();
    assert_eq!((after.status(), after.seats(), after.amount()), (before.status(), before.seats(), before.amount()));
    assert!(matches!(bookings::get(&db, sold, Viewer::Bearer(Some(&ada))).await, Err(Error::BookingNotFound)));

    // Once the hold has ended its name goes as well, and nothing is left.
    age(&client, pending, 120.0).await;
    bookings::sweep(&db).await.unwrap();
    assert_eq!(anonymise(&db, due_show(&db).await).await, (vec![1], 0));
    pay::assert_reconciled(&db).await;
    assert_invariants(&client).await;
}

/// A booking that somebody has locked holds up nobody, and is not forgotten.
#[tokio::test]
async fn a_locked_booking_is_left_for_the_next_run() {
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
    assert_eq!(personal(&client, ids[0]).await, nobody());
}

/// Several pages; a run that ends in the middle; two runs at once; and no more than once each.
#[tokio::test]
async fn a_show_with_20_000_bookings_is_anonymised_in_pages() {
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
    // Interrupted after three pages.
    let mut after = None;
    for _ in 0..3 {
        let page = privacy::anonymise(db, due, after).await.unwrap();
        assert_eq!((page.bookings, page.left), (1_000, 0));
        after = page.last;
    }
    // Taken up again, by two at once: none is done twice, and none is left out by both.
    let (one, two) = tokio::join!(anonymise(&dbs[1], due), anonymise(&dbs[2], due));
    assert_eq!((one.0.len(), two.0.len()), (20, 20));
    assert_eq!(one.0.iter().chain(&two.0).sum::<u64>(), 17_000);
    let sql = "SELECT count(*) FILTER (WHERE user_name = '(erased)' AND holder IS NULL AND idempotency_key IS NULL) FROM bookings";
    assert_eq!(client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0), 20_000);
    // Whoever goes through it then finds nothing left, and marks it.
    assert_eq!(anonymise(db, due).await, (vec![0; 20], 0));
    privacy::mark_anonymised(db, due).await.unwrap();
    assert!(is_marked(&client, show).await);
    assert_eq!(privacy::due_show(db, days(1), None).await.unwrap(), None);
    assert_invariants(&client).await;
}

/// Payments go on with an anonymised booking, and their events bring no name back.
#[tokio::test]
async fn a_late_refund_of_an_anonymised_booking_gives_its_seats_back_once() {
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
    // One that names the booking, and means nothing here.
    record(&db, pay::event("evt_5", "pi_9", Some(ids[1]), PaymentChange::Other)).await;
    let refunded = bookings::get(&db, ids[0], Viewer::Operator).await.unwrap();
    assert_eq!(refunded.status(), BookingStatus::Failed(FailureReason::Refunded));
    assert_eq!(common::free(&client, show).await.iter().sum::<i32>(), 10 - 3);
    assert_eq!(personal(&client, ids[0]).await, nobody());
    assert_eq!(with_payload(&client).await, [""; 0]);
    pay::assert_reconciled(&db).await;
    assert_invariants(&client).await;
}

/// Refunds and the job at once, many times: each does its own, and nothing is lost.
#[tokio::test]
async fn refunds_and_the_retention_job_do_not_disturb_each_other() {
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
            // The lock of a booking is had within 2 s, whatever the job does.
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

/// By the time at which they came; what they said of the payment stays.
#[tokio::test]
async fn what_providers_sent_is_emptied_after_so_many_days() {
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
    // The same event again is still known.
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

// ------------------------------------------------------------------------------------------------ export, erasure

/// All of what is kept about a subject, by pages of this size.
async fn export(db: &Db, who: &Subject, limit: &str) -> Vec<SubjectBooking> {
    let (mut all, mut after): (Vec<_>, Option<SubjectCursor>) = (Vec::new(), None);
    loop {
        let page = privacy::export(db, who, limit.parse().unwrap(), after).await.unwrap();
        assert!(page.items.len() as i64 <= limit.parse::<PageLimit>().unwrap().get());
        all.extend(page.items);
        // Through its text, as a client has it.
        match page.next {
            Some(next) => after = Some(SubjectCursor::read(&next.cursor(""), "").unwrap()),
            None => return all,
        }
    }
}

fn ids(bookings: &[SubjectBooking]) -> Vec<BookingId> {
    bookings.iter().map(|kept| kept.booking.id()).collect()
}

/// Subjects that a careless statement would take for another, or for several.
const CONFUSABLE: [&str; 10] =
    ["ada", "ada ", "ad", "ada@example.org", "%", "a%", "ad_", "' OR true; --", "sub:ada", "*\\"];

#[tokio::test]
async fn an_export_has_all_of_the_subject_and_nothing_of_others() {
    let database = Database::create().await;
    let (db, client) = (db(&database, 1), database.client().await);
    let shows = [show(&db, 100, 4).await.id(), show(&db, 100, 4).await.id(), show(&db, 100, 4).await.id()];
    let mut made = vec![Vec::new(); CONFUSABLE.len()];
    for show in shows {
        for (n, who) in CONFUSABLE.iter().enumerate() {
            for key in ["one", "two"] {
                made[n].push(book(&db, &of(&subject(who), show, 1, key)).await);
            }
        }
        // With the same text behind another kind of holder.
        book(&db, &BookRequest { holder: Holder::of_api_key("ada").unwrap(), ..request(show, 1) }).await;
        book(&db, &request(show, 1)).await;
    }
    // Of two that are made in one millisecond either may come first.
    made.iter_mut().for_each(|ids| ids.sort_unstable());
    for (n, who) in CONFUSABLE.iter().enumerate() {
        for limit in ["1", "4", "5", "6", "100"] {
            let kept = export(&db, &subject(who), limit).await;
            assert_eq!(ids(&kept), made[n], "{who:?} by {limit}");
            let mut keys: Vec<_> = kept.iter().map(|kept| kept.idempotency_key.as_deref().unwrap()).collect();
            keys.sort_unstable();
            assert_eq!(keys, ["one", "one", "one", "two", "two", "two"], "{who:?}");
        }
    }
    for nobody in ["adam", "a", "key:ada", "ADA", "null"] {
        assert!(export(&db, &subject(nobody), "100").await.is_empty(), "{nobody}");
    }
    let plan: Vec<String> = {
        client.batch_execute("ANALYZE bookings; SET enable_seqscan = off").await.unwrap();
        let sql = concat!(
            include_str!("../../src/privacy/export_bookings.sql"),
            include_str!("../../src/bookings/answer.sql")
        )
        .replace("$1", "'sub:ada'")
        .replace("$2", "0")
        .replace("$3", "'00000000-0000-0000-0000-000000000000'")
        .replace("$4", "50");
        client.query(&format!("EXPLAIN {sql}"), &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    };
    assert!(plan.iter().any(|line| line.contains("bookings_by_subject")), "{plan:#?}");
}

#[tokio::test]
async fn an_export_tells_the_payments_and_what_providers_sent() {
    let database = Database::create().await;
    let db = db(&database, 1);
    let show = pay::priced_show(&db, 100, 2).await.id();
    let (ada, grace) = (subject("ada"), subject("grace"));
    let (mine, other) = (book(&db, &of(&ada, show, 2, "k")).await, book(&db, &of(&grace, show, 2, "k")).await);
    record(&db, pay::success("evt_1", "pi_1", mine, 2)).await;
    record(&db, pay::success("evt_2", "pi_2", other, 2)).await;
    // Names its payment only, and its booking only.
    record(&db, pay::event("evt_3", "pi_1", None, PaymentChange::Refunded(Refund::Full))).await;
    record(&db, PaymentEvent { payment_id: None, ..pay::event("evt_4", "x", Some(mine), PaymentChange::Other) }).await;
    let told = serde_json::to_value(export(&db, &ada, "50").await).unwrap();
    assert_eq!(told.as_array().unwrap().len(), 1);
    let told = &told[0];
    let shown = serde_json::to_value(bookings::get(&db, mine, Viewer::Operator).await.unwrap()).unwrap();
    assert_eq!((&told["booking"], &told["idempotency_key"], &told["complete"]), (&shown, &json!("k"), &json!(true)));
    let members =
        |list: &Value, name: &str| list.as_array().unwrap().iter().map(|one| one[name].clone()).collect::<Vec<_>>();
    assert_eq!(members(&told["payments"], "payment_id"), ["pi_1"]);
    assert_eq!(members(&told["payments"], "state"), ["refunded"]);
    assert_eq!(members(&told["events"], "event_id"), ["evt_4", "evt_3", "evt_1"]);
    assert_eq!(told["events"][0]["payload"], telling(pay::success("e", "p", mine, 2)).payload.as_str());
    assert!(!format!("{:?}", export(&db, &ada, "50").await).contains("Ada"), "its Debug tells nothing");
}

/// However much providers sent, an answer stays below what a Lambda may answer, and nothing is left out unsaid.
#[tokio::test]
async fn an_export_is_bounded() {
    let database = Database::create().await;
    let (db, client) = (db(&database, 1), database.client().await);
    let show = pay::priced_show(&db, 100, 2).await.id();
    let ada = subject("ada");
    let mut made = Vec::new();
    for n in 0..5 {
        made.push(book(&db, &of(&ada, show, 1, &format!("k{n}"))).await);
    }
    made.sort_unstable();
    // 64 KiB each: 4, 3, 12, none and 1 of them.
    for (id, events) in made.iter().zip([4, 3, 12, 0, 1]) {
        let sends = "INSERT INTO payment_events (provider, event_id, type, show_id, booking_id, occurred_at, change, outcome, payload)
            SELECT 'stripe', gen_random_uuid(), 't', $1, $2, now(), 'other', 'kept', repeat('x', 65536) FROM generate_series(1, $3)";
        client.execute(sends, &[&show.get(), &id.uuid(), &events]).await.unwrap();
        let pays = "INSERT INTO payments (provider, payment_id, show_id, booking_id, state)
            SELECT 'stripe', gen_random_uuid(), $1, $2, 'failed' FROM generate_series(1, $3)";
        client.execute(pays, &[&show.get(), &id.uuid(), &events]).await.unwrap();
    }
    let mut pages = Vec::new();
    let mut after = None;
    loop {
        let page = privacy::export(&db, &ada, "100".parse().unwrap(), after).await.unwrap();
        pages.push(page.items.len());
        for kept in &page.items {
            let events = kept.events.len();
            assert_eq!((kept.complete, kept.payments.len()), (events < 10, events), "{kept:?}");
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(pages, [2, 2, 1]);
    assert_eq!(ids(&export(&db, &ada, "2").await), made);
}

#[tokio::test]
async fn an_erasure_takes_all_of_the_subject_and_nothing_of_others() {
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
        // Again: there is nobody left.
        assert_eq!(privacy::erase(&db, &subject(who)).await.unwrap(), 0, "{who}");
        gone.push(who);
        let of = CONFUSABLE.iter().position(|other| *other == who).unwrap() * 2;
        payloads.retain(|event| *event != format!("evt_{of:02}"));
        for (whose, id) in &made {
            assert_eq!(personal(&client, *id).await == nobody(), gone.contains(whose), "{whose:?} after {who:?}");
        }
        assert_eq!(with_payload(&client).await, payloads);
        assert!(export(&db, &subject(who), "100").await.is_empty());
    }
    assert_eq!(privacy::erase(&db, &subject("nobody")).await.unwrap(), 0);
    pay::assert_reconciled(&db).await;
    assert_invariants(&client).await;
}

/// The hold goes on, and is nobody's to see or change but an operator's.
#[tokio::test]
async fn an_erased_hold_goes_on_without_a_name() {
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
    // A payment that was under way.
    assert_eq!(record(&db, pay::success("evt_1", "pi_1", paid, 2)).await, Recorded::Confirmed);
    assert_eq!(with_payload(&client).await, [""; 0]);
    age(&client, expires, 120.0).await;
    assert_eq!(bookings::sweep(&db).await.unwrap(), 1);
    assert_eq!(common::free(&client, show).await.iter().sum::<i32>(), 10 - 2);
    pay::assert_reconciled(&db).await;
    assert_invariants(&client).await;
}

#[tokio::test]
async fn an_erasure_goes_on_in_batches() {
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

/// A payment and an erasure at one moment: whichever comes first, no payload is left.
#[tokio::test]
async fn what_is_recorded_while_it_is_erased_is_erased_too() {
    for erasure_first in [true, false] {
        let database = Database::create().await;
        // Only a superuser sees what others wait for.
        let (dbs, client) = (instances(&database.url(), 2).await, database.admin_client().await);
        let show = pay::priced_show(&dbs[0], 10, 1).await.id();
        let ada = subject("ada");
        let id = book(&dbs[0], &of(&ada, show, 2, "k")).await;
        // Somebody has the booking's lock, and both stand behind it, in this order.
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
        assert_eq!(personal(&client, id).await, nobody());
        assert_eq!(with_payload(&client).await, [""; 0], "the erasure came first: {erasure_first}");
        pay::assert_reconciled(&dbs[0]).await;
    }
}

/// An event that needs no lock of the booking for what it says waits for its erasure as well.
#[tokio::test]
async fn an_event_that_changes_nothing_waits_for_the_erasure() {
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

/// It looks at the booking last: were it to lock it before the payment, two events of one payment could wait for each other.
#[tokio::test]
async fn an_event_locks_its_booking_after_its_payment() {
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

/// The server quotes the row that breaks a constraint. The log says which constraint it was, and not whose row.
#[tokio::test]
async fn an_error_tells_nothing_of_the_row() {
    let database = Database::create().await;
    let (db, client) = (db(&database, 1), database.client().await);
    let show = show(&db, 10, 1).await.id();
    client.batch_execute("ALTER TABLE bookings ADD CONSTRAINT no_ada CHECK (user_name <> 'Ada')").await.unwrap();
    let error = bookings::book(&db, &of(&subject("lovelace"), show, 1, "lovelaces-key")).await.unwrap_err();
    let told = format!("{error:?}");
    assert!(matches!(error, Error::Internal(_)) && told.contains("23514") && told.contains("(no_ada)"), "{told}");
    assert!(!told.contains("Ada") && !told.contains("lovelace"), "{told}");
}

/// The name that takes the place of another is a name.
#[test]
fn the_erased_name_keeps_the_contract() {
    assert!(UserName::try_from("(erased)").is_ok());
}
