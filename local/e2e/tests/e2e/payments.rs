//! Payments through the whole system: prices, extended holds, signed webhooks, the payments queue and refunds.

use std::time::Duration;

use boxoffice_e2e::{
    api::{Api, Call},
    database::{Database, Seats},
    poll,
    sqs::Queue,
    unique,
    webhook::{standard, stripe, stripe_paid},
};
use serde_json::{Value, json};

/// The time limit for a queued message, with a cold start on a slow machine.
const LIMIT: Duration = Duration::from_secs(60);

/// Creates a show with seats for 25 euros each and returns its id.
async fn priced_show(api: &Api, seats: u32) -> i64 {
    let show = json!({"name": unique("priced"), "start_time": "2030-05-01T18:30:00Z", "total_seats": seats,
        "price_minor": 2500, "currency": "eur"});
    api.create(&show).await
}

/// Holds two seats and returns the booking's id.
async fn hold(api: &Api, show_id: i64) -> String {
    api.book(show_id, 2).await.expect(201)["booking_id"].as_str().unwrap().to_owned()
}

async fn booking(api: &Api, id: &str) -> Value {
    api.get(&format!("/bookings/{id}")).await.expect(200).clone()
}

#[tokio::test]
async fn a_show_has_a_price_and_a_booking_its_amount() {
    let api = Api::connect();
    let show_id = priced_show(&api, 5).await;
    let show = api.get(&format!("/shows/{show_id}")).await.expect(200).clone();
    assert_eq!((&show["price_minor"], &show["currency"]), (&json!(2500), &json!("EUR")));
    let booked = api.book(show_id, 2).await.expect(201).clone();
    assert_eq!((&booked["amount_minor"], &booked["currency"]), (&json!(5000), &json!("EUR")));
    let half =
        json!({"name": unique("half"), "start_time": "2030-05-01T18:30:00Z", "total_seats": 5, "price_minor": 1});
    let answer = api.post_json("/admin/shows", &half).await;
    answer.problem(422, "validation-failed");
    assert_eq!(answer.pointers(), ["/currency"]);
}

#[tokio::test]
async fn stripe_payment_confirms_and_its_refund_releases_the_seats() {
    let (api, database) = (Api::connect(), Database::connect().await);
    let show_id = priced_show(&api, 5).await;
    let _kept = Database::keep_holds(show_id).await;
    let (id, payment_id) = (hold(&api, show_id).await, unique("pi"));
    let paid = stripe_paid(&id, &payment_id, 5000);
    assert_eq!(api.send(stripe(&paid)).await.expect(200)["outcome"], "confirmed");
    assert_eq!(api.send(stripe(&paid)).await.expect(200)["outcome"], "repeated");
    assert_eq!(booking(&api, &id).await["status"], "CONFIRMED");
    let charge = json!({"id": unique("evt"), "object": "event", "type": "charge.refunded", "created": 1_795_375_900,
        "data": {"object": {"id": "ch_1", "object": "charge", "payment_intent": payment_id, "amount": 5000,
            "amount_refunded": 5000, "currency": "eur", "refunded": true}}});
    assert_eq!(api.send(stripe(&charge)).await.expect(200)["outcome"], "refunded");
    let refunded = booking(&api, &id).await;
    assert_eq!((&refunded["status"], &refunded["failure_reason"]), (&json!("FAILED"), &json!("refunded")));
    api.post(&format!("/bookings/{id}/confirm")).await.problem(409, "booking-refunded");
    api.delete(&format!("/bookings/{id}")).await.problem(409, "booking-refunded");
    assert_eq!(database.sound_seats(show_id).await, Seats { total: 5, free: 5, pending: 0, confirmed: 0 });
}

/// A buyer pays a price of 50 euros in dollars. Stripe's payment intent has only the dollars; its session has both
/// amounts.
#[tokio::test]
async fn a_payment_in_the_buyers_currency_confirms() {
    let api = Api::connect();
    let show_id = priced_show(&api, 5).await;
    let _kept = Database::keep_holds(show_id).await;
    let (id, payment_id) = (hold(&api, show_id).await, unique("pi"));
    let mut intent = stripe_paid(&id, &payment_id, 5480);
    intent["data"]["object"]["currency"] = json!("usd");
    let conversion =
        json!({"amount_subtotal": 5000, "amount_total": 5000, "fx_rate": "1.096", "source_currency": "eur"});
    let session = json!({"id": unique("evt"), "object": "event", "type": "checkout.session.completed",
        "created": 1_795_375_900, "livemode": false, "data": {"object": {"id": unique("cs"), "object": "checkout.session",
            "mode": "payment", "payment_intent": payment_id, "payment_status": "paid", "amount_total": 5480,
            "currency": "usd", "currency_conversion": conversion, "client_reference_id": id}}});
    api.send(stripe(&intent)).await.expect(200);
    assert_eq!(api.send(stripe(&session)).await.expect(200)["outcome"], "confirmed");
    assert_eq!(booking(&api, &id).await["status"], "CONFIRMED");
}

/// The local cloud accepts only test mode and only events of its own account.
#[tokio::test]
async fn events_in_live_mode_or_of_another_account_are_ignored() {
    let api = Api::connect();
    let show_id = priced_show(&api, 5).await;
    let _kept = Database::keep_holds(show_id).await;
    let id = hold(&api, show_id).await;
    for (member, value) in [("livemode", json!(true)), ("account", json!("acct_other"))] {
        let mut paid = stripe_paid(&id, &unique("pi"), 5000);
        paid[member] = value;
        assert_eq!(api.send(stripe(&paid)).await.expect(200)["outcome"], "ignored", "{member}");
    }
    assert_eq!(booking(&api, &id).await["status"], "PENDING");
}

#[tokio::test]
async fn standard_webhooks_payment_confirms() {
    let api = Api::connect();
    let show_id = priced_show(&api, 5).await;
    let _kept = Database::keep_holds(show_id).await;
    let id = hold(&api, show_id).await;
    let event = json!({"type": "payment.succeeded", "timestamp": "2026-11-22T19:30:25Z",
        "data": {"booking_id": id, "payment_id": unique("pay"), "amount": 5000, "currency": "EUR"}});
    assert_eq!(api.send(standard(&unique("msg"), &event)).await.expect(200)["outcome"], "confirmed");
    assert_eq!(booking(&api, &id).await["status"], "CONFIRMED");
}

#[tokio::test]
async fn webhooks_without_a_valid_signature_are_refused() {
    let api = Api::connect();
    let body = json!({"id": "evt_1", "type": "x"});
    for path in ["/webhooks/payments/stripe", "/webhooks/payments/standard"] {
        api.post_json(path, &body).await.problem(401, "unauthorized");
        api.post(path).await.problem(401, "unauthorized");
        // A large body also gets 401: the signature is what is wrong with it.
        api.send(Call::new("POST", path).body("x".repeat(1024 * 1024))).await.problem(401, "unauthorized");
    }
    let changed = r#"{"id":"evt_2","type":"x"}"#;
    api.send(stripe(&body).body(changed)).await.problem(401, "unauthorized");
    api.send(standard(&unique("msg"), &body).body(changed)).await.problem(401, "unauthorized");
}

#[tokio::test]
async fn a_second_payment_is_listed_as_refund_due_until_it_is_settled() {
    let api = Api::connect();
    let show_id = priced_show(&api, 5).await;
    let _kept = Database::keep_holds(show_id).await;
    let (id, first, second) = (hold(&api, show_id).await, unique("pi"), unique("pi"));
    assert_eq!(api.send(stripe(&stripe_paid(&id, &first, 5000))).await.expect(200)["outcome"], "confirmed");
    assert_eq!(api.send(stripe(&stripe_paid(&id, &second, 5000))).await.expect(200)["outcome"], "refund_due");
    let due = find_due(&api, &second).await.expect("it should be listed");
    assert_eq!((&due["reason"], &due["booking_id"]), (&json!("already_paid"), &json!(id)));
    assert!(find_due(&api, &first).await.is_none());
    let path = |payment_id: &str| format!("/admin/payments/stripe/{payment_id}/settle");
    for _ in 0..2 {
        assert_eq!(api.post(&path(&second)).await.expect(200)["state"], "refunded");
    }
    assert!(find_due(&api, &second).await.is_none());
    api.post(&path(&first)).await.problem(409, "payment-not-due");
    api.post(&path("pi_nowhere")).await.problem(404, "payment-not-found");
    // No dispute about this payment was lost.
    let decide = Call::new("POST", &format!("/admin/payments/stripe/{first}/dispute")).json(r#"{"decision": "keep"}"#);
    api.send(decide).await.problem(409, "dispute-not-lost");
    let bad = api.get("/admin/payments?state=paid&limit=0&cursor=x").await;
    bad.problem(400, "malformed-request");
    assert_eq!(bad.pointers(), ["cursor", "limit", "state"]);
}

/// A payment that names no booking may be another shop's, on the same account.
#[tokio::test]
async fn a_payment_without_a_booking_is_not_refund_due() {
    let api = Api::connect();
    let payment = unique("pi");
    let mut event = stripe_paid("", &payment, 5000);
    event["data"]["object"]["metadata"] = json!({});
    assert_eq!(api.send(stripe(&event)).await.expect(200)["outcome"], "unclaimed");
    assert!(find_due(&api, &payment).await.is_none());
    api.post(&format!("/admin/payments/stripe/{payment}/settle")).await.problem(409, "payment-not-due");
}

/// A success with an invalid amount is kept and listed. A replay cannot read it either.
#[tokio::test]
async fn an_unreadable_event_is_listed_and_its_replay_is_refused() {
    let api = Api::connect();
    let mut event = stripe_paid("7-0197f1a6-4c7e-7d3b-9a52-3f6c1b2d4e5f", &unique("pi"), 5000);
    event["data"]["object"]["amount_received"] = json!("5000");
    assert_eq!(api.send(stripe(&event)).await.expect(200)["outcome"], "kept");
    let id = event["id"].as_str().unwrap();
    let mut path = "/admin/payments/events?change=unreadable&limit=100".to_owned();
    let listed = loop {
        let page = api.get(&path).await.expect(200).clone();
        if let Some(found) = page["events"].as_array().unwrap().iter().find(|event| event["event_id"] == id) {
            break found.clone();
        }
        let next = page["next_cursor"].as_str().expect("it should be listed");
        path = format!("/admin/payments/events?change=unreadable&limit=100&cursor={next}");
    };
    assert_eq!((&listed["change"], &listed["payload_cut"]), (&json!("unreadable"), &json!(false)));
    let replay = async |id: &str| api.post(&format!("/admin/payments/events/stripe/{id}/replay")).await;
    replay(id).await.problem(409, "event-unreadable");
    replay("evt_nowhere").await.problem(404, "event-not-found");
}

/// Finds a payment in the pages of payments with a refund due.
async fn find_due(api: &Api, payment_id: &str) -> Option<Value> {
    let mut path = "/admin/payments?state=refund_due&limit=100".to_owned();
    loop {
        let page = api.get(&path).await.expect(200).clone();
        let payments = page["payments"].as_array().unwrap();
        if let Some(found) = payments.iter().find(|payment| payment["payment_id"] == payment_id) {
            return Some(found.clone());
        }
        let next = page["next_cursor"].as_str()?;
        path = format!("/admin/payments?state=refund_due&limit=100&cursor={next}");
    }
}

#[tokio::test]
async fn an_extended_hold_outlives_its_message() {
    let (api, database) = (Api::connect(), Database::connect().await);
    let show_id = priced_show(&api, 5).await;
    let id = hold(&api, show_id).await;
    let first = booking(&api, &id).await["expires_at"].clone();
    let path = format!("/bookings/{id}/extend");
    // The hold's age: its message comes this long before the new end.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let extended = api.post(&path).await.expect(200).clone();
    assert_ne!(extended["expires_at"], first);
    // The message arrives at the old time and returns to the queue. The hold expires at the new time, not before.
    let ended = poll::until("the hold expires", LIMIT, async || {
        let now = booking(&api, &id).await;
        (now["status"] == "FAILED").then_some(now)
    })
    .await;
    let time = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert!(time(&ended["settled_at"]) >= time(&extended["expires_at"]), "{ended}");
    api.post(&path).await.problem(409, "booking-expired");
    api.post("/bookings/xyz/extend").await.problem(404, "booking-not-found");
    assert_eq!(database.sound_seats(show_id).await.free, 5);
}

/// A message as the confirm function queues it while the database is unavailable.
#[tokio::test]
async fn a_queued_payment_is_confirmed_by_the_worker() {
    let api = Api::connect();
    let show_id = priced_show(&api, 5).await;
    let _kept = Database::keep_holds(show_id).await;
    let (id, payment_id) = (hold(&api, show_id).await, unique("pi"));
    let event = json!({"provider": "stripe", "event_id": unique("evt"), "event_type": "payment_intent.succeeded",
        "payment_id": payment_id, "booking_id": id, "occurred_at": "2026-11-22T19:30:25Z",
        "change": {"succeeded": {"minor": 5000, "currency": "EUR"}}, "payload": "{}"});
    let queue = Queue::from_setting("BOXOFFICE_PAYMENTS_QUEUE_URL");
    // Twice, because SQS may deliver a message twice.
    queue.send(&event.to_string()).await;
    queue.send(&event.to_string()).await;
    poll::until("the payment is applied", LIMIT, async || {
        (booking(&api, &id).await["status"] == "CONFIRMED").then_some(())
    })
    .await;
}

/// The payment's id has characters with a meaning in paths. The local gateway decodes paths; AWS does not.
#[tokio::test]
async fn a_payment_with_reserved_characters_in_its_id_is_settled_by_its_path_id() {
    let api = Api::connect();
    let payment_id = format!("{}/17?1%2F..#", unique("order"));
    let paid = json!({"type": "payment.succeeded", "timestamp": "2026-07-01T12:00:00Z", "data": {
        "booking_id": "1-019a5b7e-8f00-7abc-8def-0123456789ab", "payment_id": payment_id, "amount": 5000, "currency": "EUR"}});
    let answer = api.send(standard(&unique("msg"), &paid)).await;
    assert_eq!(answer.expect(200)["outcome"], "refund_due");
    let mut path = "/admin/payments?limit=100".to_owned();
    let listed = loop {
        let page = api.get(&path).await.expect(200).clone();
        let payments = page["payments"].as_array().unwrap();
        if let Some(payment) = payments.iter().find(|payment| payment["payment_id"] == payment_id) {
            break payment.clone();
        }
        path = format!("/admin/payments?limit=100&cursor={}", page["next_cursor"].as_str().unwrap());
    };
    let settled = api.post(&format!("/admin/payments/standard/{}/settle", listed["path_id"].as_str().unwrap())).await;
    assert_eq!((&settled.expect(200)["payment_id"], &settled.body["state"]), (&json!(payment_id), &json!("refunded")));
}
