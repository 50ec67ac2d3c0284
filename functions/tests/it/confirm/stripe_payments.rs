//! Sequences of Stripe events, in any order, through the real confirm binary: amounts with tax, tips or shipping, free
//! orders, refunds, disputes, and payments of other shops.

use crate::common::{
    call, ready,
    webhook::{Scene, book, status, stripe, stripe_event},
};
use std::time::Duration;

use boxoffice_testkit::{invariants::assert_invariants, lambda::Instance, sqs::FixedDelayQueue};
use serde_json::{Value, json};

/// A scene and one instance of confirm.
async fn start() -> (Scene, FixedDelayQueue, Instance) {
    let scene = Scene::new().await;
    let queue = FixedDelayQueue::start(Duration::ZERO).await;
    let instance = ready(scene.confirm(&queue.endpoint(), &queue.queue_url())).await;
    (scene, queue, instance)
}

/// Sends a Stripe event of this type about this object and returns the outcome. The id derives from both.
async fn send(instance: &Instance, event_type: &str, object: &Value) -> String {
    let id =
        format!("evt_{event_type}_{}_{}", object["id"].as_str().unwrap(), object["status"].as_str().unwrap_or("x"));
    let answer = call(instance, &stripe(&stripe_event(&id, event_type, object))).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body["outcome"].as_str().unwrap().to_owned()
}

fn with(mut object: Value, members: Value) -> Value {
    let Value::Object(members) = members else { panic!("members are an object") };
    object.as_object_mut().unwrap().extend(members);
    object
}

/// One payment for a booking, as a payment intent and as a checkout session.
struct Payment {
    intent: Value,
    session: Value,
}

fn payment(booking: &str, intent: Value, session: Value) -> Payment {
    let own = json!({"id": "pi_1", "object": "payment_intent", "currency": "eur", "metadata": {"booking_id": booking}});
    let its = json!({"id": "cs_1", "object": "checkout.session", "mode": "payment", "payment_intent": "pi_1",
        "payment_status": "paid", "currency": "eur", "client_reference_id": booking, "metadata": {}});
    Payment { intent: with(own, intent), session: with(its, session) }
}

/// Every case in which the buyer pays the price and Stripe may report another amount, each in both event orders.
#[tokio::test]
async fn paid_price_confirms_the_booking_in_either_event_order() {
    let presented = json!({"presentment_amount": 5480, "presentment_currency": "usd"});
    let conversion = |total: i64| json!({"amount_subtotal": 5000, "amount_total": total, "fx_rate": "1.096", "source_currency": "eur"});
    let cases = [
        // 2025-09-30.clover: the shop's currency, with the buyer's as presentment.
        (
            "presented",
            json!({"amount_received": 5000, "presentment_details": presented}),
            json!({"amount_total": 5000, "presentment_details": presented}),
            "5000 EUR",
        ),
        // 2024-06-20: the buyer's currency; only the session has the shop's.
        (
            "converted",
            json!({"amount_received": 5480, "currency": "usd"}),
            json!({"amount_total": 5480, "currency": "usd", "currency_conversion": conversion(5000)}),
            "5480 USD",
        ),
        (
            "converted, tax on top",
            json!({"amount_received": 6521, "currency": "usd"}),
            json!({"amount_total": 6521, "currency": "usd", "currency_conversion": conversion(5950),
                "total_details": {"amount_tax": 1041, "amount_discount": 0, "amount_shipping": 0}}),
            "6521 USD",
        ),
        // The intent does not include the tax that Checkout added.
        (
            "tax on top",
            json!({"amount_received": 5950}),
            json!({"amount_total": 5950, "total_details": {"amount_tax": 950}}),
            "5950 EUR",
        ),
        (
            "tax within",
            json!({"amount_received": 5000, "amount_details": {"tax": {"total_tax_amount": 798}}}),
            json!({"amount_total": 5000, "total_details": {"amount_tax": 798}}),
            "5000 EUR",
        ),
        (
            "tip and shipping",
            json!({"amount_received": 6190, "amount_details": {"tip": {"amount": 700}, "shipping": {"amount": 490}}}),
            json!({"amount_total": 6190, "total_details": {"amount_shipping": 1190}}),
            "6190 EUR",
        ),
    ];
    for (name, intent, session, received) in cases {
        for intent_first in [true, false] {
            let (scene, _queue, instance) = start().await;
            let paid = payment(&scene.booking.to_string(), intent.clone(), session.clone());
            let intent = ("payment_intent.succeeded", &paid.intent);
            let session = ("checkout.session.completed", &paid.session);
            for (event_type, object) in if intent_first { [intent, session] } else { [session, intent] } {
                send(&instance, event_type, object).await;
            }
            assert_eq!(scene.status().await, "CONFIRMED", "{name}, {intent_first}");
            assert_eq!(scene.payments().await, ["pi_1 confirmed"], "{name}, {intent_first}");
            // The refundable amount is all that was received, not only the price of the seats.
            let sql = "SELECT concat_ws(' ', amount_minor, currency) FROM payments";
            let amount: String = scene.client.query_one(sql, &[]).await.unwrap().get(0);
            assert_eq!(amount, received, "{name}, {intent_first}");
            assert_invariants(&scene.client).await;
        }
    }
}

#[tokio::test]
async fn tax_tips_and_other_currencies_do_not_make_up_the_price() {
    let (scene, _queue, instance) = start().await;
    let booking = scene.booking.to_string();
    let cases = [
        (json!({"amount_received": 5000, "amount_details": {"tip": {"amount": 500}}}), json!(null)),
        (json!({"amount_received": 5000, "currency": "usd"}), json!(null)),
        (json!({"amount_received": 6000, "amount_details": {"tax": {"total_tax_amount": 950}}}), json!(null)),
        (json!({"amount_received": 5475, "amount_details": {"tax": {"total_tax_amount": 950}}}), json!(null)),
        (json!(null), json!({"amount_total": 4500, "total_details": {"amount_discount": 500}})),
        (
            json!(null),
            json!({"amount_total": 5000, "currency": "usd", "currency_conversion":
                {"amount_subtotal": 4562, "amount_total": 4562, "source_currency": "eur"}}),
        ),
    ];
    for (number, (intent, session)) in cases.into_iter().enumerate() {
        let id = json!({"id": format!("pi_{number}")});
        let outcome = if let Value::Object(_) = intent {
            let intent = with(payment(&booking, intent, json!({})).intent, id);
            send(&instance, "payment_intent.succeeded", &intent).await
        } else {
            let own = json!({"id": format!("cs_{number}"), "payment_intent": id["id"]});
            let session = with(payment(&booking, json!({}), session).session, own);
            send(&instance, "checkout.session.completed", &session).await
        };
        assert_eq!(outcome, "refund_due", "{number}");
    }
    assert_eq!(scene.status().await, "PENDING");
    assert!(scene.payments().await.iter().all(|row| row.ends_with("refund_due wrong_amount")));
    assert_invariants(&scene.client).await;
}

/// The payment is refunded before the event arrives that shows that its amount was right.
#[tokio::test]
async fn refunded_payment_cannot_confirm_a_booking_later() {
    let (scene, _queue, instance) = start().await;
    let paid = payment(
        &scene.booking.to_string(),
        json!({"amount_received": 5950}),
        json!({"amount_total": 5950, "total_details": {"amount_tax": 950}}),
    );
    assert_eq!(send(&instance, "payment_intent.succeeded", &paid.intent).await, "refund_due");
    let charge = json!({"id": "ch_1", "object": "charge", "payment_intent": "pi_1", "amount": 5950, "captured": true,
        "amount_captured": 5950, "amount_refunded": 5950, "refunded": true, "currency": "eur"});
    assert_eq!(send(&instance, "charge.refunded", &charge).await, "refunded");
    send(&instance, "checkout.session.completed", &paid.session).await;
    assert_eq!((scene.status().await.as_str(), scene.payments().await.len()), ("PENDING", 1));
    assert!(scene.payments().await[0].starts_with("pi_1 refunded"));
    assert_invariants(&scene.client).await;
}

/// A refund counts against everything received, so a refund of the price alone is partial if tax was added.
#[tokio::test]
async fn refund_of_the_price_without_tax_is_partial() {
    let (scene, _queue, instance) = start().await;
    let session = json!({"amount_total": 5950, "total_details": {"amount_tax": 950}});
    let paid = payment(&scene.booking.to_string(), json!({}), session);
    assert_eq!(send(&instance, "checkout.session.completed", &paid.session).await, "confirmed");
    let refund = |id: &str, amount: i64| {
        json!({"id": id, "object": "refund", "payment_intent": "pi_1", "charge": "ch_1", "amount": amount,
            "currency": "eur", "status": "succeeded"})
    };
    send(&instance, "refund.created", &refund("re_1", 5000)).await;
    assert_eq!(scene.status().await, "CONFIRMED");
    assert_eq!(send(&instance, "refund.created", &refund("re_2", 950)).await, "refunded");
    assert_eq!(scene.status().await, "FAILED refunded");
    assert_invariants(&scene.client).await;
}

/// 120 euros authorised, 50 captured for the booking, 70 released.
#[tokio::test]
async fn released_authorisation_is_not_a_refund() {
    let (scene, _queue, instance) = start().await;
    let paid = payment(&scene.booking.to_string(), json!({"amount": 12000, "amount_received": 5000}), json!({}));
    let charge = |refunded: i64| {
        json!({"id": format!("ch_{refunded}"), "object": "charge", "payment_intent": "pi_1", "amount": 12000,
            "amount_captured": 5000, "captured": true, "amount_refunded": refunded, "refunded": false, "currency": "eur"})
    };
    assert_eq!(send(&instance, "charge.refunded", &charge(7000)).await, "kept");
    assert_eq!(send(&instance, "payment_intent.succeeded", &paid.intent).await, "confirmed");
    assert_eq!(send(&instance, "charge.refunded", &with(charge(7000), json!({"id": "ch_b"}))).await, "kept");
    // Even the full amount, while Stripe reports that the refund is not full.
    assert_eq!(send(&instance, "charge.refunded", &charge(12000)).await, "kept");
    assert_eq!(scene.status().await, "CONFIRMED");
    assert_eq!(scene.payments().await, ["pi_1 confirmed"]);
    assert_invariants(&scene.client).await;
}

/// Older API versions send only `charge.refund.updated`, newer ones all three. The refund fails once.
#[tokio::test]
async fn failed_refund_is_due_again_once_in_any_event_order() {
    let words = ["charge.refund.updated", "refund.updated", "refund.failed"];
    for first in 0..words.len() {
        let (scene, _queue, instance) = start().await;
        let paid = payment(&scene.booking.to_string(), json!({"amount_received": 5000}), json!({}));
        assert_eq!(send(&instance, "payment_intent.succeeded", &paid.intent).await, "confirmed");
        let refund = |status: &str| {
            json!({"id": "re_1", "object": "refund", "payment_intent": "pi_1", "charge": "ch_1", "amount": 5000,
                "currency": "eur", "status": status})
        };
        assert_eq!(send(&instance, "charge.refund.updated", &refund("succeeded")).await, "refunded");
        let mut outcomes = Vec::new();
        for word in words.iter().cycle().skip(first).take(words.len()) {
            outcomes.push(send(&instance, word, &refund("failed")).await);
        }
        assert_eq!(outcomes, ["refund_due", "kept", "kept"], "{}", words[first]);
        assert_eq!(scene.payments().await, ["pi_1 refund_due refund_failed"]);
        assert_eq!(scene.status().await, "FAILED refunded");
        assert_invariants(&scene.client).await;
    }
}

#[tokio::test]
async fn dispute_is_recorded_and_the_booking_stays_confirmed() {
    let (scene, _queue, instance) = start().await;
    let paid = payment(&scene.booking.to_string(), json!({"amount_received": 5000}), json!({}));
    assert_eq!(send(&instance, "payment_intent.succeeded", &paid.intent).await, "confirmed");
    let dispute = |status: &str| {
        json!({"id": "dp_1", "object": "dispute", "payment_intent": "pi_1", "charge": "ch_1", "amount": 5000,
            "currency": "eur", "status": status})
    };
    assert_eq!(send(&instance, "charge.dispute.created", &dispute("needs_response")).await, "disputed");
    send(&instance, "charge.dispute.funds_withdrawn", &dispute("needs_response")).await;
    let disputed = "SELECT disputed FROM payments";
    assert!(scene.client.query_one(disputed, &[]).await.unwrap().get::<_, bool>(0));
    send(&instance, "charge.dispute.closed", &dispute("won")).await;
    assert!(!scene.client.query_one(disputed, &[]).await.unwrap().get::<_, bool>(0));
    assert_eq!(scene.status().await, "CONFIRMED");
    assert_invariants(&scene.client).await;
}

/// Checkout requires no payment if a coupon or a zero price leaves nothing to pay.
#[tokio::test]
async fn zero_amount_order_does_not_pay_for_a_priced_booking() {
    let (scene, _queue, instance) = start().await;
    let session = json!({"amount_total": 0, "payment_status": "no_payment_required", "payment_intent": null,
        "total_details": {"amount_discount": 5000}});
    let paid = payment(&scene.booking.to_string(), json!({}), session.clone());
    send(&instance, "checkout.session.completed", &paid.session).await;
    assert_eq!(scene.status().await, "PENDING");
    assert!(scene.payments().await[0].starts_with("cs_1 "), "{:?}", scene.payments().await);
    // A booking with a price of zero.
    let free = book(&scene.db).await;
    scene.client.execute("UPDATE bookings SET amount_minor = 0 WHERE id = $1", &[&free.uuid()]).await.unwrap();
    let paid = payment(&free.to_string(), json!({}), with(session, json!({"id": "cs_2"})));
    assert_eq!(send(&instance, "checkout.session.completed", &paid.session).await, "confirmed");
    assert_eq!(status(&scene.client, free).await, "CONFIRMED");
    assert_invariants(&scene.client).await;
}

/// A payment of another shop in the same account is not due for refund, and its payload is not stored.
#[tokio::test]
async fn payment_of_another_shop_is_unclaimed_and_unknown_booking_is_refund_due() {
    let (scene, _queue, instance) = start().await;
    for (number, name) in [json!(null), json!("order 17"), json!("staging-7"), json!(17)].into_iter().enumerate() {
        let own = json!({"id": format!("pi_{number}"), "amount_received": 5000, "metadata": {"booking_id": name}});
        let outcome = send(&instance, "payment_intent.succeeded", &payment("", own, json!({})).intent).await;
        assert_eq!(outcome, "unclaimed", "{name}");
    }
    let kept = "SELECT count(*) FILTER (WHERE payload <> ''), count(*) FROM payment_events";
    let row = scene.client.query_one(kept, &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (0, 4));
    // A later session of one of these payments names the booking.
    let session = json!({"payment_intent": "pi_0", "amount_total": 5000});
    let late = payment(&scene.booking.to_string(), json!({}), session);
    assert_eq!(send(&instance, "checkout.session.completed", &late.session).await, "confirmed");
    // A well-formed booking id that does not exist.
    let lost =
        payment("1-019a5b7e-8f00-7abc-8def-0123456789ab", json!({"id": "pi_9", "amount_received": 5000}), json!({}));
    assert_eq!(send(&instance, "payment_intent.succeeded", &lost.intent).await, "refund_due");
    assert!(scene.payments().await.contains(&"pi_9 refund_due unknown_booking".to_owned()));
    assert_invariants(&scene.client).await;
}
