//! The target of the attacks: a victim's show, bookings and payment, and for each route a call that would change or
//! read them.

use boxoffice_e2e::{
    api::{Answer, Api, Call},
    database::Database,
    partner,
    token::mint,
    unique,
    webhook::{standard, stripe, stripe_paid},
};
use boxoffice_functions::{
    access::Access,
    routes::{Operation, ROUTES, Route},
};
use boxoffice_testkit::issuer::now;
use serde_json::json;

/// The victim's data, and the calls of an attacker.
pub(super) struct Scene {
    pub(super) api: Api,
    database: Database,
    /// The victim's subject.
    pub(super) victim: String,
    show_id: i64,
    /// The name of the show that attackers try to create.
    unwanted: String,
    /// One booking for each route, so that calls do not affect each other.
    bookings: Vec<String>,
    /// A payment with a refund due, and an unreadable event.
    payment_id: String,
    event_id: String,
    /// A partner's API key.
    key: String,
}

/// The route's index in [`ROUTES`], which is also that of its booking.
fn place(route: &Route) -> usize {
    ROUTES.iter().position(|other| other.operation == route.operation).unwrap()
}

impl Scene {
    pub(super) async fn new() -> Self {
        let (api, database) = (Api::connect(), Database::connect().await);
        let victim = unique("victim");
        let show = json!({"name": unique("show"), "start_time": "2030-05-01T18:30:00Z", "total_seats": 1000,
            "max_seats_per_holder": 1000, "max_pending_seats_per_holder": 1000});
        let show_id = api.create(&show).await;
        let mut bookings = Vec::new();
        for _ in ROUTES {
            let answer = api.send(book(show_id).token(&mint(&victim, ""))).await;
            bookings.push(answer.expect(201)["booking_id"].as_str().unwrap().to_owned());
        }
        let long = "UPDATE bookings SET expires_at = now() + interval '1 hour' WHERE show_id = $1";
        database.client().execute(long, &[&show_id]).await.unwrap();
        let payment_id = unique("pi");
        let unknown = "9000000000000-019a5b7e-8f00-7abc-8def-0123456789ab";
        let due = api.send(stripe(&stripe_paid(unknown, &payment_id, 5000))).await;
        assert_eq!(due.expect(200)["outcome"], "refund_due");
        let event_id = unique("evt");
        let odd = json!({"id": event_id, "type": "charge.refunded", "data": {"object": {"refunded": "maybe"}}});
        assert_eq!(api.send(stripe(&odd)).await.expect(200)["outcome"], "kept");
        let unwanted = unique("unwanted");
        let key = partner::key().await;
        Self { api, database, victim, show_id, unwanted, bookings, payment_id, event_id, key }
    }

    /// An effective call of this route, without credentials.
    pub(super) fn call(&self, route: &Route) -> Call {
        let Self { show_id, payment_id, event_id, victim, .. } = self;
        let booking = format!("/bookings/{}", self.bookings[place(route)]);
        let subject = format!("/admin/subjects/bookings?subject={victim}");
        let new = json!({"name": self.unwanted, "start_time": "2030-05-01T18:30:00Z", "total_seats": 3});
        let event = self.paid().to_string();
        let call = match route.operation {
            Operation::ListShows | Operation::ListPayments | Operation::ListEvents => Call::new("GET", route.path),
            Operation::GetShow => Call::new("GET", &format!("/shows/{show_id}")),
            Operation::BookSeats => book(*show_id),
            Operation::BookSeatsAsPartner => {
                Call::new("POST", &format!("/partner/shows/{show_id}/bookings")).json(BOOKING)
            }
            Operation::GetBooking | Operation::CancelBooking => Call::new(route.method, &booking),
            Operation::ExtendBooking => Call::new("POST", &format!("{booking}/extend")),
            Operation::ConfirmBooking => Call::new("POST", &format!("{booking}/confirm")),
            Operation::ReceiveStripeEvent => {
                let signature = format!("t={},v1={}", now(), "00".repeat(32));
                Call::new("POST", route.path).json(event).header("stripe-signature", signature)
            }
            Operation::ReceiveStandardEvent => Call::new("POST", route.path)
                .json(event)
                .header("webhook-id", "msg_1")
                .header("webhook-timestamp", now().to_string())
                .header("webhook-signature", format!("v1,{}=", "A".repeat(43))),
            Operation::CreateShow => Call::new("POST", "/admin/shows").json(new.to_string()),
            Operation::ChangeShow => Call::new("PATCH", &format!("/admin/shows/{show_id}")).json(r#"{"pools":7}"#),
            Operation::SettlePayment => Call::new("POST", &format!("/admin/payments/stripe/{payment_id}/settle")),
            Operation::DecideDispute => Call::new("POST", &format!("/admin/payments/stripe/{payment_id}/dispute"))
                .json(r#"{"decision":"keep"}"#),
            Operation::ReplayEvent => Call::new("POST", &format!("/admin/payments/events/stripe/{event_id}/replay")),
            Operation::ExportSubject | Operation::EraseSubject => Call::new(route.method, &subject),
        };
        call.anonymous()
    }

    /// The same call with the credentials that allow it.
    pub(super) fn rightful(&self, route: &Route) -> Call {
        match route.access {
            Access::Needs(scope) => self.call(route).token(&mint("operator", scope.as_str())),
            Access::OptionalToken => self.call(route).token(&mint(&self.victim, "")),
            Access::PartnerKey => self.call(route).header("x-api-key", &self.key),
            Access::Webhook if route.operation == Operation::ReceiveStripeEvent => stripe(&self.paid()),
            Access::Webhook => standard(&unique("msg"), &self.paid()),
            Access::Public => self.call(route),
        }
    }

    /// Sends a call and expects this status. `what` describes the credentials in failure messages.
    pub(super) async fn expect(&self, what: &str, route: &Route, call: Call, status: u16) -> Answer {
        let answer = self.api.send(call).await;
        let call = format!("{} {} with {what}", route.method, route.path);
        assert_eq!(answer.status(), status, "{call}: {}", answer.body);
        match status {
            401 => assert_eq!(answer.slug(), Some("unauthorized"), "{call}"),
            403 => assert_eq!(answer.slug(), Some("forbidden"), "{call}"),
            404 => assert_eq!(answer.slug(), Some("booking-not-found"), "{call}"),
            _ => {}
        }
        answer
    }

    /// Everything that the attacks could change, as text.
    pub(super) async fn state(&self) -> String {
        let sql = "SELECT concat_ws(E'\\n',
            (SELECT to_jsonb(shows)::text FROM shows WHERE id = $1),
            (SELECT count(*) FROM shows WHERE name = $2),
            (SELECT string_agg(to_jsonb(bookings)::text, ',' ORDER BY id) FROM bookings WHERE show_id = $1 AND holder = $3),
            (SELECT string_agg(to_jsonb(payments)::text, ',') FROM payments WHERE payment_id IN ($4, $5)),
            (SELECT string_agg(to_jsonb(payment_events)::text, ',' ORDER BY event_id) FROM payment_events
                WHERE event_id = $6 OR payment_id IN ($4, $5)))";
        let (holder, paid) = (format!("sub:{}", self.victim), self.other_payment());
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 6] =
            [&self.show_id, &self.unwanted, &holder, &self.payment_id, &paid, &self.event_id];
        self.database.client().query_one(sql, &values).await.unwrap().get(0)
    }

    /// The number of the show's bookings.
    pub(super) async fn bookings(&self) -> i64 {
        self.database.bookings(self.show_id).await
    }

    fn other_payment(&self) -> String {
        format!("{}-paid", self.payment_id)
    }

    /// A payment of the victim's booking, as an event that both webhook routes can read.
    fn paid(&self) -> serde_json::Value {
        let mut paid = stripe_paid(&self.bookings[0], &self.other_payment(), 5000);
        paid["type"] = json!("payment_intent.succeeded");
        paid["timestamp"] = json!("2026-11-22T19:30:25Z");
        paid["data"]["payment_id"] = json!(self.other_payment());
        paid
    }
}

const BOOKING: &str = r#"{"user_name":"Ada","seats":1}"#;

fn book(show_id: i64) -> Call {
    Call::new("POST", &format!("/shows/{show_id}/bookings")).json(BOOKING)
}
