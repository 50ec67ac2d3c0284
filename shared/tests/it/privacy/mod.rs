//! Personal data: retention, export and erasure.

mod anonymise;
mod erase;
mod export;

use crate::common::{self, db, keyed, show};
use boxoffice_shared::{
    Error,
    bookings::{self, BookRequest, BookingId},
    holders::{Holder, Subject},
    page::{PageLimit, Position},
    payments::{self, PaymentEvent, Recorded},
    platform::db::Db,
    privacy::{self, SubjectBooking, SubjectCursor},
    shows::ShowId,
};
use boxoffice_testkit::postgres::Database;
use tokio_postgres::Client;

fn subject(name: &str) -> Subject {
    Subject::try_from(name).unwrap()
}

/// A booking request of a subject, with an idempotency key.
fn of(who: &Subject, show: ShowId, seats: i64, key: &str) -> BookRequest {
    BookRequest { holder: Holder::of_subject(who), ..keyed(show, seats, key) }
}

async fn book(db: &Db, request: &BookRequest) -> BookingId {
    bookings::book(db, request).await.unwrap().booking.id()
}

/// Returns the personal data of a booking: name, holder and key. Then whether it is marked as anonymised.
async fn personal(client: &Client, id: BookingId) -> (String, Option<String>, Option<String>, bool) {
    let sql = "SELECT user_name, holder, idempotency_key, anonymised_at IS NOT NULL FROM bookings WHERE show_id = $1 AND id = $2";
    let row = client.query_one(sql, &[&id.show_id().get(), &id.uuid()]).await.unwrap();
    (row.get(0), row.get(1), row.get(2), row.get(3))
}

fn no_personal_data() -> (String, Option<String>, Option<String>, bool) {
    ("(erased)".into(), None, None, true)
}

/// Gives the event a payload that contains the buyer's name.
fn with_buyer_name(event: PaymentEvent) -> PaymentEvent {
    PaymentEvent { payload: r#"{"name": "Ada Lovelace", "email": "ada@example.org"}"#.into(), ..event }
}

async fn record(db: &Db, event: PaymentEvent) -> Recorded {
    payments::record(db, &with_buyer_name(event), &common::NO_LIMITS).await.unwrap()
}

/// Returns the ids of the events that still have a payload.
async fn with_payload(client: &Client) -> Vec<String> {
    let rows = client.query("SELECT event_id FROM payment_events WHERE payload <> '' ORDER BY 1", &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// Exports all data of a subject, in pages of this size.
async fn export_all(db: &Db, who: &Subject, limit: &str) -> Vec<SubjectBooking> {
    let (mut all, mut after): (Vec<_>, Option<SubjectCursor>) = (Vec::new(), None);
    loop {
        let page = privacy::export(db, who, limit.parse().unwrap(), after).await.unwrap();
        assert!(page.items.len() as i64 <= limit.parse::<PageLimit>().unwrap().get());
        all.extend(page.items);
        // Sends the cursor as text, as a client does.
        match page.next {
            Some(next) => after = Some(SubjectCursor::read(&next.cursor(""), "").unwrap()),
            None => return all,
        }
    }
}

/// Subjects that a careless statement would confuse with another one, or with several.
const CONFUSABLE: [&str; 10] =
    ["ada", "ada ", "ad", "ada@example.org", "%", "a%", "ad_", "' OR true; --", "sub:ada", "*\\"];

/// The server's error quotes the row that violates a constraint. Our error names the constraint and omits the row.
#[tokio::test]
async fn error_does_not_contain_the_row() {
    let database = Database::create().await;
    let (db, client) = (db(&database, 1), database.client().await);
    let show = show(&db, 10, 1).await.id();
    client.batch_execute("ALTER TABLE bookings ADD CONSTRAINT no_ada CHECK (user_name <> 'Ada')").await.unwrap();
    let error = bookings::book(&db, &of(&subject("lovelace"), show, 1, "lovelaces-key")).await.unwrap_err();
    let told = format!("{error:?}");
    assert!(matches!(error, Error::Internal(_)) && told.contains("23514") && told.contains("(no_ada)"), "{told}");
    assert!(!told.contains("Ada") && !told.contains("lovelace"), "{told}");
}
