//! The part of a Stripe payment that counts towards the booking's price: amounts with tax, tips, shipping and
//! discounts, and in the buyer's currency. The objects are shortened from those of the API versions named in the
//! comments.

use boxoffice_functions::webhooks::parse_stripe;
use boxoffice_shared::{money::Money, payments::PaymentChange};
use serde_json::{Value, json};

use super::{BOOKING, with};

fn money(minor: i64, currency: &str) -> Money {
    Money::new(minor, currency).unwrap()
}

/// Parses Stripe's event of this type about this object.
fn says(event_type: &str, object: &Value) -> PaymentChange {
    let body = json!({
        "id": "evt_1", "object": "event", "created": 1_782_907_000, "type": event_type, "livemode": true,
        "data": { "object": object },
    });
    let event = parse_stripe(body.to_string().as_bytes(), "2026-07-01T12:00:00Z".parse().unwrap());
    assert_eq!(event.payment_id.is_some(), event.change != PaymentChange::Unreadable || object["id"].is_string());
    event.change
}

/// The change for an amount received that may pay any of these prices, in euro cents.
fn pays(received: Money, prices: &[i64]) -> PaymentChange {
    PaymentChange::SucceededFor { received, prices: prices.iter().map(|minor| money(*minor, "eur")).collect() }
}

/// A session of 2025-09-30.clover, paid in the shop's currency.
fn session(total: i64, parts: Value) -> Value {
    json!({
        "id": "cs_1", "object": "checkout.session", "mode": "payment", "payment_intent": "pi_1",
        "payment_status": "paid", "status": "complete", "amount_subtotal": 5000, "amount_total": total,
        "currency": "eur", "client_reference_id": BOOKING, "metadata": {}, "presentment_details": null,
        "total_details": with(json!({"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0}), parts),
    })
}

fn completed(session: &Value) -> PaymentChange {
    let change = says("checkout.session.completed", session);
    assert_eq!(says("checkout.session.async_payment_succeeded", session), change);
    change
}

fn intent(received: i64, details: Value) -> PaymentChange {
    says("payment_intent.succeeded", &intent_of(received, details))
}

/// A payment intent of 2025-09-30.clover, which has `amount_details`.
fn intent_of(received: i64, details: Value) -> Value {
    json!({
        "id": "pi_1", "object": "payment_intent", "amount": received, "amount_received": received, "currency": "eur",
        "amount_details": details, "status": "succeeded", "metadata": { "booking_id": BOOKING },
    })
}

#[test]
fn tax_may_be_included_in_the_price_or_added() {
    // 19 % added to 5000, or included in 5000: only the shop's price shows which.
    assert_eq!(completed(&session(5950, json!({"amount_tax": 950}))), pays(money(5950, "eur"), &[5950, 5000]));
    assert_eq!(completed(&session(5000, json!({"amount_tax": 798}))), pays(money(5000, "eur"), &[5000, 4202]));
    let tax = json!({"tax": {"total_tax_amount": 950}, "tip": {}});
    assert_eq!(intent(5950, tax), pays(money(5950, "eur"), &[5950, 5000]));
}

#[test]
fn shipping_and_tips_do_not_count_towards_the_price() {
    assert_eq!(completed(&session(5490, json!({"amount_shipping": 490}))), pays(money(5490, "eur"), &[5000]));
    let all = json!({"amount_shipping": 490, "amount_tax": 1043});
    assert_eq!(completed(&session(6533, all)), pays(money(6533, "eur"), &[6043, 5000]));
    assert_eq!(intent(5700, json!({"tip": {"amount": 700}})), pays(money(5700, "eur"), &[5000]));
    let all = json!({"tip": {"amount": 700}, "tax": {"total_tax_amount": 950}, "shipping": {"amount": 490}});
    assert_eq!(intent(7140, all), pays(money(7140, "eur"), &[5950, 5000]));
}

/// A tip of 10 % does not pay for a seat that costs 10 % more.
#[test]
fn tip_pays_no_part_of_the_price() {
    assert_eq!(intent(5000, json!({"tip": {"amount": 500}})), pays(money(5000, "eur"), &[4500]));
}

#[test]
fn discount_is_not_money_paid() {
    let half = session(2500, json!({"amount_discount": 2500}));
    assert_eq!(completed(&half), PaymentChange::Succeeded(money(2500, "eur")));
    let all = with(session(0, json!({"amount_discount": 5000})), json!({"payment_status": "no_payment_required"}));
    assert_eq!(completed(&all), PaymentChange::Succeeded(money(0, "eur")));
}

/// 2022-11-15: no tip is an empty object, or an empty array from PHP.
#[test]
fn missing_amount_details_count_as_zero() {
    let plain = PaymentChange::Succeeded(money(5000, "eur"));
    for details in [json!(null), json!({}), json!({"tip": {}}), json!({"tip": []}), json!({"tip": null, "tax": null})] {
        assert_eq!(intent(5000, details.clone()), plain, "{details}");
    }
    for details in [json!(null), json!({}), json!({"amount_tax": 0, "amount_shipping": null})] {
        assert_eq!(completed(&with(session(5000, json!({})), json!({"total_details": details}))), plain, "{details}");
    }
}

/// 2025-03-31.basil and later: the session and its intent are in the shop's currency; `presentment_details` have what
/// the buyer saw.
#[test]
fn presentment_currency_does_not_change_the_amount() {
    let presented = json!({"presentment_details": {"presentment_amount": 5480, "presentment_currency": "usd"}});
    let plain = PaymentChange::Succeeded(money(5000, "eur"));
    assert_eq!(completed(&with(session(5000, json!({})), presented.clone())), plain);
    let intent = with(intent_of(5000, json!({"tip": {}})), presented.clone());
    assert_eq!(says("payment_intent.succeeded", &intent), plain);
    // Added tax is in the shop's currency too.
    let taxed = with(session(5950, json!({"amount_tax": 950})), presented);
    assert_eq!(completed(&taxed), pays(money(5950, "eur"), &[5950, 5000]));
}

/// A session of 2024-06-20: it and its intent are in the buyer's currency; `currency_conversion` has the shop's
/// amounts.
fn converted(total: i64, parts: Value, conversion: Value) -> Value {
    let conversion = with(json!({"amount_subtotal": 5000, "fx_rate": "1.096", "source_currency": "eur"}), conversion);
    with(session(total, parts), json!({"currency": "usd", "amount_subtotal": 5480, "currency_conversion": conversion}))
}

#[test]
fn converted_session_counts_in_the_shops_currency() {
    assert_eq!(
        completed(&converted(5480, json!({}), json!({"amount_total": 5000}))),
        pays(money(5480, "usd"), &[5000])
    );
    // Added tax is in dollars only, so the shop's amounts before and after tax both count.
    let taxed = converted(6521, json!({"amount_tax": 1041}), json!({"amount_total": 5950}));
    assert_eq!(completed(&taxed), pays(money(6521, "usd"), &[5950, 5000]));
    let shipped = converted(6017, json!({"amount_shipping": 537}), json!({"amount_total": 5490}));
    assert_eq!(completed(&shipped), pays(money(6017, "usd"), &[5000]));
    let discounted = converted(2740, json!({"amount_discount": 2740}), json!({"amount_total": 2500}));
    assert_eq!(completed(&discounted), pays(money(2740, "usd"), &[2500]));
    // Discount and shipping: the booking's part is in dollars only. It is not converted, so only the total counts.
    let both = json!({"amount_discount": 2740, "amount_shipping": 537});
    let both = converted(3277, both, json!({"amount_total": 2990}));
    assert_eq!(completed(&both), pays(money(3277, "usd"), &[2990]));
    // The intent has only the buyer's amount. The session's event must follow.
    let intent = with(intent_of(5480, json!({"tip": {}})), json!({"currency": "usd"}));
    assert_eq!(says("payment_intent.succeeded", &intent), PaymentChange::Succeeded(money(5480, "usd")));
}

/// Yen have no decimals, and Stripe's amounts are compared as they are.
#[test]
fn zero_decimal_currency_is_not_scaled() {
    let yen = with(intent_of(5000, json!({})), json!({"currency": "jpy"}));
    assert_eq!(says("payment_intent.succeeded", &yen), PaymentChange::Succeeded(money(5000, "jpy")));
}

#[test]
fn invalid_amount_details_are_unreadable() {
    for (tax, shipping) in
        [(json!("950"), json!(0)), (json!(-1), json!(0)), (json!(0.5), json!(0)), (json!(0), json!({}))]
    {
        let parts = json!({"amount_tax": tax, "amount_shipping": shipping});
        assert_eq!(completed(&session(5950, parts.clone())), PaymentChange::Unreadable, "{parts}");
    }
    for details in [
        // More than was received.
        json!({"tip": {"amount": 5001}}),
        json!({"tip": {"amount": 2500}, "tax": {"total_tax_amount": 2501}}),
        json!({"tip": {"amount": i64::MAX}, "shipping": {"amount": i64::MAX}}),
        json!({"tip": {"amount": "7"}}),
    ] {
        assert_eq!(intent(5000, details.clone()), PaymentChange::Unreadable, "{details}");
    }
    for conversion in [
        json!({"amount_total": null}),
        json!({"amount_total": "5000"}),
        json!({"amount_total": 5000, "source_currency": null}),
        json!({"amount_total": 5000, "amount_subtotal": -1}),
    ] {
        let session = converted(5480, json!({}), conversion.clone());
        assert_eq!(completed(&session), PaymentChange::Unreadable, "{conversion}");
    }
}

/// Stripe counts ISK and UGX in hundredths and MGA in whole units; ISO 4217, and we, count the other way round.
#[test]
fn amounts_are_in_the_minor_units_of_iso_4217() {
    let intent = |minor: i64, currency: &str| {
        let object =
            json!({ "id": "pi_1", "object": "payment_intent", "amount_received": minor, "currency": currency });
        says("payment_intent.succeeded", &object)
    };
    for (stripes, currency, ours) in [
        (500_000, "ugx", 5_000),
        (120_000, "isk", 1_200),
        (5_000, "mga", 500_000),
        (5_000, "jpy", 5_000),
        (5_000, "eur", 5_000),
        (5_000, "kwd", 5_000),
    ] {
        assert_eq!(intent(stripes, currency), PaymentChange::Succeeded(money(ours, currency)), "{currency}");
    }
    assert_eq!(intent(500_050, "ugx"), PaymentChange::Unreadable, "half a shilling");
    let refund = json!({
        "id": "re_1", "object": "refund", "payment_intent": "pi_1", "status": "succeeded", "amount": 100_000, "currency": "ugx",
    });
    assert!(
        matches!(says("refund.updated", &refund), PaymentChange::Refund { amount, .. } if amount == money(1_000, "ugx"))
    );
    let dispute = json!({
        "id": "dp_1", "object": "dispute", "payment_intent": "pi_1", "status": "needs_response", "amount": 7, "currency": "mga",
    });
    let says = says("charge.dispute.created", &dispute);
    assert!(matches!(says, PaymentChange::Disputed { amount: Some(amount), .. } if amount == money(700, "mga")));
}
