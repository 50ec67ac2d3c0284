//! Finds the part of a payment that is for the booking.
//!
//! A booking has a price. Stripe's amounts may include more, or be in the buyer's currency:
//!
//! | amount | for the booking? |
//! |---|---|
//! | shipping, a tip | no, they are added to the price |
//! | tax | perhaps. Stripe reports the tax, but not whether the shop's price includes it. Both readings are possible |
//! | a discount | no, because it was not paid |
//! | an amount in the buyer's currency (`presentment_details`) | no, the amount beside it is in the shop's currency |
//! | a session before 2025-03-31 in the buyer's currency | no, its `currency_conversion` has the amount in the shop's currency |
//!
//! All possible readings go to the database, which knows the price: one of them must be equal to it. Nothing is converted or
//! rounded. We use the minor units of ISO 4217. Stripe has other minor units for three currencies
//! (<https://docs.stripe.com/currencies#special-cases>), which [`in_minor_units`] converts.

use boxoffice_shared::{
    money::Money,
    payments::{PaymentChange, Refund},
};
use serde_json::Value;

use super::json::money;

/// Converts Stripe's amounts to the minor units of ISO 4217. Stripe has hundredths of ISK and UGX, which have no minor unit, and
/// whole MGA, which has hundredths.
///
/// `None` for a fraction of an ISK or UGX, which does not exist.
pub(super) fn in_minor_units(change: PaymentChange) -> Option<PaymentChange> {
    Some(match change {
        PaymentChange::Succeeded(money) => PaymentChange::Succeeded(minor_units(money)?),
        PaymentChange::SucceededFor { received, prices } => PaymentChange::SucceededFor {
            received: minor_units(received)?,
            prices: prices.into_iter().map(minor_units).collect::<Option<_>>()?,
        },
        PaymentChange::Refunded(Refund::Amount(money)) => PaymentChange::Refunded(Refund::Amount(minor_units(money)?)),
        PaymentChange::Refunded(Refund::Part(money)) => PaymentChange::Refunded(Refund::Part(minor_units(money)?)),
        PaymentChange::Refund { id, amount, state } => {
            PaymentChange::Refund { id, amount: minor_units(amount)?, state }
        }
        PaymentChange::Disputed { id, amount, state } => {
            let amount = match amount {
                Some(amount) => Some(minor_units(amount)?),
                None => None,
            };
            PaymentChange::Disputed { id, amount, state }
        }
        PaymentChange::Refunded(Refund::Full)
        | PaymentChange::Failed
        | PaymentChange::Cancelled
        | PaymentChange::RefundFailed
        | PaymentChange::Other
        | PaymentChange::Unreadable => change,
    })
}

fn minor_units(money: Money) -> Option<Money> {
    let (minor, currency) = (money.minor(), money.currency().as_str());
    let minor = match currency {
        "ISK" | "UGX" if minor % 100 == 0 => minor / 100,
        "ISK" | "UGX" => return None,
        "MGA" => minor.checked_mul(100)?,
        _ => return Some(money),
    };
    Money::new(minor, currency).ok()
}

/// A payment intent that succeeded. Tips are paid at a terminal. Tax and shipping are known if the shop passed them to Stripe
/// (`amount_details`).
pub(super) fn of_intent(intent: &Value) -> Option<PaymentChange> {
    let details = &intent["amount_details"];
    let extras = Extras {
        on_top: part(&details["tip"]["amount"])?.checked_add(part(&details["shipping"]["amount"])?)?,
        tax: part(&details["tax"]["total_tax_amount"])?,
    };
    succeeded(money(&intent["amount_received"], &intent["currency"])?, extras)
}

/// A checkout session that is paid, or with nothing to pay.
pub(super) fn of_session(session: &Value) -> Option<PaymentChange> {
    let details = &session["total_details"];
    let shipping = part(&details["amount_shipping"])?;
    let received = money(&session["amount_total"], &session["currency"])?;
    let conversion = &session["currency_conversion"];
    if conversion.is_null() {
        return succeeded(received, Extras { on_top: shipping, tax: part(&details["amount_tax"])? });
    }
    // The subtotal is before discounts, tax and shipping, and the total is after them. The parts between are known in the buyer's
    // currency only.
    let currency = &conversion["source_currency"];
    let (total, subtotal) = (money(&conversion["amount_total"], currency)?, &conversion["amount_subtotal"]);
    let mut prices = Vec::new();
    if shipping == 0 {
        prices.push(total.clone());
    }
    if part(&details["amount_discount"])? == 0 && !subtotal.is_null() {
        prices.push(money(subtotal, currency)?);
    }
    if prices.is_empty() {
        prices.push(total);
    }
    Some(for_booking(received, prices))
}

/// A charge without a payment intent: the captured amount, whose parts are not known.
pub(super) fn of_charge(charge: &Value) -> Option<PaymentChange> {
    let amount = if charge["amount_captured"].is_null() { &charge["amount"] } else { &charge["amount_captured"] };
    Some(PaymentChange::Succeeded(money(amount, &charge["currency"])?))
}

/// Parts of an amount that are not part of the price, in minor units.
struct Extras {
    on_top: i64,
    tax: i64,
}

fn succeeded(received: Money, extras: Extras) -> Option<PaymentChange> {
    let currency = received.currency().as_str();
    let with_tax = Money::new(received.minor().checked_sub(extras.on_top)?, currency).ok()?;
    let without = Money::new(with_tax.minor().checked_sub(extras.tax)?, currency).ok()?;
    Some(for_booking(received, vec![with_tax, without]))
}

/// The payment with the prices that it may be for. If the only price is the amount itself, it is the plain change, which every
/// version can read from the queue.
fn for_booking(received: Money, mut prices: Vec<Money>) -> PaymentChange {
    prices.dedup();
    if prices == [received.clone()] {
        PaymentChange::Succeeded(received)
    } else {
        PaymentChange::SucceededFor { received, prices }
    }
}

/// A part of an amount; 0 if it is missing. Older versions of Stripe write an empty object for no tip.
fn part(minor: &Value) -> Option<i64> {
    if minor.is_null() { Some(0) } else { minor.as_i64().filter(|minor| *minor >= 0) }
}
