//! Webhook requests of payment providers, signed with the local cloud's secrets.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::api::Call;

/// The secret in `local/deploy.sh`.
const STRIPE_KEY: &[u8] = b"whsec_boxoffice_local";
/// The secret in `local/deploy.sh`, where it is in base64 after `whsec_`.
const STANDARD_KEY: &[u8] = b"boxoffice-local";

/// A signed Stripe webhook with this body.
pub fn stripe(body: &Value) -> Call {
    let (now, body) = (now(), body.to_string());
    let signature = hex::encode(sign(STRIPE_KEY, &format!("{now}.{body}")));
    let call = Call::new("POST", "/webhooks/payments/stripe").json(body);
    call.header("stripe-signature", format!("t={now},v1={signature}"))
}

/// Stripe's event that this payment intent paid this amount, in cents, for the booking.
pub fn stripe_paid(booking_id: &str, payment_id: &str, amount: i64) -> Value {
    json!({
        "id": format!("evt_{payment_id}"), "object": "event", "type": "payment_intent.succeeded", "created": 1_795_375_825,
        "livemode": false, "data": {"object": {
            "id": payment_id, "object": "payment_intent", "amount_received": amount, "currency": "eur",
            "metadata": {"booking_id": booking_id},
        }},
    })
}

/// A signed Standard Webhooks message with this id and body.
pub fn standard(id: &str, body: &Value) -> Call {
    let (now, body) = (now(), body.to_string());
    let signature = STANDARD.encode(sign(STANDARD_KEY, &format!("{id}.{now}.{body}")));
    let call = Call::new("POST", "/webhooks/payments/standard").json(body);
    call.header("webhook-id", id)
        .header("webhook-timestamp", now)
        .header("webhook-signature", format!("v1,{signature}"))
}

fn sign(key: &[u8], content: &str) -> Vec<u8> {
    let mut hmac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    hmac.update(content.as_bytes());
    hmac.finalize().into_bytes().to_vec()
}

fn now() -> String {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().to_string()
}
