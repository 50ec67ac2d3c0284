//! Signatures and events of payment providers.

mod signatures;
mod standard_events;
mod stripe_amounts;
mod stripe_events;

use boxoffice_shared::{
    money::Money,
    payments::{DisputeState, PaymentChange, RefundState},
};
use jiff::Timestamp;
use serde_json::Value;

const BOOKING: &str = "42-019a5b7e-8f00-7abc-8def-0123456789ab";

fn signed_at() -> Timestamp {
    "2026-07-01T12:00:00Z".parse().unwrap()
}

fn eur(minor: i64) -> Money {
    Money::new(minor, "EUR").unwrap()
}

fn succeeded(minor: i64) -> PaymentChange {
    PaymentChange::Succeeded(eur(minor))
}

/// One refund of 20 euros.
fn one_refund(id: &str, state: RefundState) -> PaymentChange {
    PaymentChange::Refund { id: id.try_into().unwrap(), amount: eur(2000), state }
}

/// One dispute.
fn disputed(id: &str, amount: Option<Money>, state: DisputeState) -> PaymentChange {
    PaymentChange::Disputed { id: id.try_into().unwrap(), amount, state }
}

/// The object with these members replaced.
fn with(mut object: Value, members: Value) -> Value {
    let Value::Object(members) = members else { panic!("members are an object") };
    object.as_object_mut().unwrap().extend(members);
    object
}
