//! Webhook bodies after their signature was verified.

use boxoffice_functions::webhooks::{parse_standard, parse_stripe};
use boxoffice_shared::payments::{EventType, Payload, PaymentChange, PaymentEvent, Provider};
use jiff::Timestamp;

use crate::signature::now;

/// Input: a body, parsed as either provider's.
pub fn payment_events(data: &[u8]) {
    let stripe = check(Provider::Stripe, parse_stripe(data, now()));
    assert_eq!(parse_stripe(data, now()), stripe, "the same body parsed differently");
    let standard = check(Provider::Standard, parse_standard("msg_1", data, now()));
    assert_eq!(standard.event_id.as_str(), "msg_1");
    // The id is a header with any text. Ids that cannot be stored must still be distinct.
    let id = String::from_utf8_lossy(data);
    let (event, other) = (parse_standard(&id, b"", now()), parse_standard(&format!("{id}x"), b"", now()));
    assert_ne!(check(Provider::Standard, event).event_id, other.event_id, "two events have one id");
}

fn check(provider: Provider, event: PaymentEvent) -> PaymentEvent {
    assert_eq!(event.provider, provider);
    let text = serde_json::to_string(&event).expect("an event should serialise");
    assert_eq!(
        serde_json::from_str::<PaymentEvent>(&text).expect("it should deserialise"),
        event,
        "the queue changes it"
    );
    assert!(
        event.event_type.as_str().len() <= EventType::MAX_BYTES && event.payload.as_str().len() <= Payload::MAX_BYTES
    );
    assert!(!event.event_type.as_str().contains('\0') && !event.payload.as_str().contains('\0'), "not storable");
    assert!(event.occurred_at >= Timestamp::UNIX_EPOCH, "not storable: {}", event.occurred_at);
    match &event.change {
        PaymentChange::Succeeded(money) => {
            assert!(event.payment_id.is_some() && money.minor() >= 0, "{event:?}");
        }
        PaymentChange::SucceededFor { received, prices } => {
            assert!(event.payment_id.is_some() && (1..=2).contains(&prices.len()), "{event:?}");
            assert!(prices.iter().all(|price| price.currency() == prices[0].currency()), "{event:?}");
            let own = prices.iter().filter(|price| price.currency() == received.currency());
            assert!(own.clone().all(|price| price.minor() <= received.minor()), "{event:?}");
        }
        PaymentChange::Refunded(_)
        | PaymentChange::Refund { .. }
        | PaymentChange::RefundFailed
        | PaymentChange::Disputed { .. } => assert!(event.payment_id.is_some(), "{event:?}"),
        PaymentChange::Failed | PaymentChange::Cancelled | PaymentChange::Other | PaymentChange::Unreadable => {}
    }
    event
}
