//! Stripe's payments as Stripe tells them, event after event and in any order, through the real confirm binary: amounts that
//! have more in them than the price, free orders, refunds, disputes, other shops.

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

/// What became of Stripe's event of this type, whose id is made of the two.
async fn tell(instance: &Instance, event_type: &str, object: &Value) -> String {
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

/// A payment of this booking of 5000 EUR, by its intent and by its session.
struct Told {
    intent: Value,
    session: Value,
}

fn told(booking: &str, intent: Value, session: Value) -> Told {
    let own = json!({"id": "pi_1", "object": "payment_intent", "currency": "eur", "metadata": {"booking_id": booking}});
    let its = json!({"id": "cs_1", "object": "checkout.session", "mode": "payment", "payment_intent": "pi_1",
        "payment_status": "paid", "currency": "eur", "client_reference_id": booking, "metadata": {}});
    Told { intent: with(own, intent), session: with(its, session) }
}

/// Every way in which a buyer pays the price and Stripe tells of another amount; each in both orders.
#[tokio::test]
async fn a_buyer_who_paid_the_price_has_paid_for_the_booking_whichever_event_comes_first() {
    let presented = json!({"presentment_amount": 5480, "presentment_currency": "usd"});
    let conversion = |total: i64| json!({"amount_subtotal": 5000, "amount_total": total, "fx_rate": "1.096", "source_currency": "eur"});
    let cases = [
        // 2025-09-30.clover: in the shop's currency, and the buyer's beside it.
        (
            "presented",
            json!({"amount_received": 5000, "presentment_details": presented}),
            json!({"amount_total": 5000, "presentment_details": presented}),
            "5000 EUR",
        ),
        // 2024-06-20: in the buyer's currency, and only the session tells the shop's.
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
        // The intent does not tell of the tax that Checkout added.
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
            let told = told(&scene.booking.to_string(), intent.clone(), session.clone());
            let intent = ("payment_intent.succeeded", &told.intent);
            let session = ("checkout.session.completed", &told.session);
            for (event_type, object) in if intent_first { [intent, session] } else { [session, intent] } {
                tell(&instance, event_type, object).await;
            }
            assert_eq!(scene.status().await, "CONFIRMED", "{name}, {intent_first}");
            assert_eq!(scene.payments().await, ["pi_1 confirmed"], "{name}, {intent_first}");
            // What can go back is what arrived, however little of it was for the seats.
            let sql = "SELECT concat_ws(' ', amount_minor, currency) FROM payments";
            let amount: String = scene.client.query_one(sql, &[]).await.unwrap().get(0);
            assert_eq!(amount, received, "{name}, {intent_first}");
            assert_invariants(&scene.client).await;
        }
    }
}

#[tokio::test]
async fn a_price_that_was_not_paid_is_not_made_up_by_tax_tips_or_another_currency() {
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
            let intent = with(told(&booking, intent, json!({})).intent, id);
            tell(&instance, "payment_intent.succeeded", &intent).await
        } else {
            let own = json!({"id": format!("cs_{number}"), "payment_intent": id["id"]});
            let session = with(told(&booking, json!({}), session).session, own);
            tell(&instance, "checkout.session.completed", &session).await
        };
        assert_eq!(outcome, "refund_due", "{number}");
    }
    assert_eq!(scene.status().await, "PENDING");
    assert!(scene.payments().await.iter().all(|payment| payment.ends_with("refund_due wrong_amount")));
    assert_invariants(&scene.client).await;
}

/// The money went back before the event came that would have made it fit.
#[tokio::test]
async fn a_payment_that_was_refunded_does_not_pay_later() {
    let (scene, _queue, instance) = start().await;
    let told = told(
        &scene.booking.to_string(),
        json!({"amount_received": 5950}),
        json!({"amount_total": 5950, "total_details": {"amount_tax": 950}}),
    );
    assert_eq!(tell(&instance, "payment_intent.succeeded", &told.intent).await, "refund_due");
    let charge = json!({"id": "ch_1", "object": "charge", "payment_intent": "pi_1", "amount": 5950, "captured": true,
        "amount_captured": 5950, "amount_refunded": 5950, "refunded": true, "currency": "eur"});
    assert_eq!(tell(&instance, "charge.refunded", &charge).await, "refunded");
    tell(&instance, "checkout.session.completed", &told.session).await;
    assert_eq!((scene.status().await.as_str(), scene.payments().await.len()), ("PENDING", 1));
    assert!(scene.payments().await[0].starts_with("pi_1 refunded"));
    assert_invariants(&scene.client).await;
}

/// What is given back is counted against all that arrived: the price alone is not all of it.
#[tokio::test]
async fn a_refund_of_the_price_leaves_the_tax_with_us() {
    let (scene, _queue, instance) = start().await;
    let session = json!({"amount_total": 5950, "total_details": {"amount_tax": 950}});
    let told = told(&scene.booking.to_string(), json!({}), session);
    assert_eq!(tell(&instance, "checkout.session.completed", &told.session).await, "confirmed");
    let refund = |id: &str, amount: i64| {
        json!({"id": id, "object": "refund", "payment_intent": "pi_1", "charge": "ch_1", "amount": amount,
            "currency": "eur", "status": "succeeded"})
    };
    tell(&instance, "refund.created", &refund("re_1", 5000)).await;
    assert_eq!(scene.status().await, "CONFIRMED");
    assert_eq!(tell(&instance, "refund.created", &refund("re_2", 950)).await, "refunded");
    assert_eq!(scene.status().await, "FAILED refunded");
    assert_invariants(&scene.client).await;
}

/// Authorised 120 euros, captured the booking's 50, and 70 released.
#[tokio::test]
async fn what_was_never_captured_is_no_refund() {
    let (scene, _queue, instance) = start().await;
    let told = told(&scene.booking.to_string(), json!({"amount": 12000, "amount_received": 5000}), json!({}));
    let charge = |refunded: i64| {
        json!({"id": format!("ch_{refunded}"), "object": "charge", "payment_intent": "pi_1", "amount": 12000,
            "amount_captured": 5000, "captured": true, "amount_refunded": refunded, "refunded": false, "currency": "eur"})
    };
    assert_eq!(tell(&instance, "charge.refunded", &charge(7000)).await, "kept");
    assert_eq!(tell(&instance, "payment_intent.succeeded", &told.intent).await, "confirmed");
    assert_eq!(tell(&instance, "charge.refunded", &with(charge(7000), json!({"id": "ch_b"}))).await, "kept");
    // And then even all of it, while Stripe says that it is not all.
    assert_eq!(tell(&instance, "charge.refunded", &charge(12000)).await, "kept");
    assert_eq!(scene.status().await, "CONFIRMED");
    assert_eq!(scene.payments().await, ["pi_1 confirmed"]);
    assert_invariants(&scene.client).await;
}

/// Older API versions send `charge.refund.updated` alone, newer ones all three: the refund fails once.
#[tokio::test]
async fn a_refund_that_failed_is_due_again_once_by_whichever_word() {
    let words = ["charge.refund.updated", "refund.updated", "refund.failed"];
    for first in 0..words.len() {
        let (scene, _queue, instance) = start().await;
        let told = told(&scene.booking.to_string(), json!({"amount_received": 5000}), json!({}));
        assert_eq!(tell(&instance, "payment_intent.succeeded", &told.intent).await, "confirmed");
        let refund = |status: &str| {
            json!({"id": "re_1", "object": "refund", "payment_intent": "pi_1", "charge": "ch_1", "amount": 5000,
                "currency": "eur", "status": status})
        };
        assert_eq!(tell(&instance, "charge.refund.updated", &refund("succeeded")).await, "refunded");
        let mut outcomes = Vec::new();
        for word in words.iter().cycle().skip(first).take(words.len()) {
            outcomes.push(tell(&instance, word, &refund("failed")).await);
        }
        assert_eq!(outcomes, ["refund_due", "kept", "kept"], "{}", words[first]);
        assert_eq!(scene.payments().await, ["pi_1 refund_due refund_failed"]);
        assert_eq!(scene.status().await, "FAILED refunded");
        assert_invariants(&scene.client).await;
    }
}

#[tokio::test]
async fn a_disputed_payment_is_seen_and_its_seats_stay() {
    let (scene, _queue, instance) = start().await;
    let told = told(&scene.booking.to_string(), json!({"amount_received": 5000}), json!({}));
    assert_eq!(tell(&instance, "payment_intent.succeeded", &told.intent).await, "confirmed");
    let dispute = |status: &str| {
        json!({"id": "dp_1", "object": "dispute", "payment_intent": "pi_1", "charge": "ch_1", "amount": 5000,
            "currency": "eur", "status": status})
    };
    assert_eq!(tell(&instance, "charge.dispute.created", &dispute("needs_response")).await, "disputed");
    tell(&instance, "charge.dispute.funds_withdrawn", &dispute("needs_response")).await;
    let disputed = "SELECT disputed FROM payments";
    assert!(scene.client.query_one(disputed, &[]).await.unwrap().get::<_, bool>(0));
    tell(&instance, "charge.dispute.closed", &dispute("won")).await;
    assert!(!scene.client.query_one(disputed, &[]).await.unwrap().get::<_, bool>(0));
    assert_eq!(scene.status().await, "CONFIRMED");
    assert_invariants(&scene.client).await;
}

/// Checkout asks for no payment where a coupon or a price of nothing leaves nothing to pay.
#[tokio::test]
async fn an_order_of_nothing_pays_for_no_booking_that_costs_something() {
    let (scene, _queue, instance) = start().await;
    let session = json!({"amount_total": 0, "payment_status": "no_payment_required", "payment_intent": null,
        "total_details": {"amount_discount": 5000}});
    let told = told(&scene.booking.to_string(), json!({}), session.clone());
    tell(&instance, "checkout.session.completed", &told.session).await;
    assert_eq!(scene.status().await, "PENDING");
    assert!(scene.payments().await[0].starts_with("cs_1 "), "{:?}", scene.payments().await);
    // A booking of nothing.
    let free = book(&scene.db).await;
    scene.client.execute("UPDATE bookings SET amount_minor = 0 WHERE id = $1", &[&free.uuid()]).await.unwrap();
    let told = self::told(&free.to_string(), json!({}), with(session, json!({"id": "cs_2"})));
    assert_eq!(tell(&instance, "checkout.session.completed", &told.session).await, "confirmed");
    assert_eq!(status(&scene.client, free).await, "CONFIRMED");
    assert_invariants(&scene.client).await;
}

/// Another shop's of the same account: nothing is due, and what it says of its buyer is not ours to keep.
#[tokio::test]
async fn another_shops_payment_is_neither_due_nor_kept_and_one_for_a_lost_booking_is_seen() {
    let (scene, _queue, instance) = start().await;
    for (number, name) in [json!(null), json!("order 17"), json!("staging-7"), json!(17)].into_iter().enumerate() {
        let own = json!({"id": format!("pi_{number}"), "amount_received": 5000, "metadata": {"booking_id": name}});
        let outcome = tell(&instance, "payment_intent.succeeded", &told("", own, json!({})).intent).await;
        assert_eq!(outcome, "unclaimed", "{name}");
    }
    let kept = "SELECT count(*) FILTER (WHERE payload <> ''), count(*) FROM payment_events";
    let row = scene.client.query_one(kept, &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (0, 4));
    // The session of one of them names the booking after all.
    let session = json!({"payment_intent": "pi_0", "amount_total": 5000});
    let late = told(&scene.booking.to_string(), json!({}), session);
    assert_eq!(tell(&instance, "checkout.session.completed", &late.session).await, "confirmed");
    // A booking that can be and is not.
    let lost =
        told("1-019a5b7e-8f00-7abc-8def-0123456789ab", json!({"id": "pi_9", "amount_received": 5000}), json!({}));
    assert_eq!(tell(&instance, "payment_intent.succeeded", &lost.intent).await, "refund_due");
    assert!(scene.payments().await.contains(&"pi_9 refund_due unknown_booking".to_owned()));
    assert_invariants(&scene.client).await;
}
