//! A payment provider's event, verified and parsed.
//!
//! It converts to JSON and back, as a message of the payments queue.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use tokio_postgres::Row;

use super::{DisputeId, EventId, PaymentId, RefundId};
use crate::{Error, Invalid, bookings::BookingId, money::Money, platform::db::row};

/// A payment provider, named by the scheme of its webhooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// Stripe.
    Stripe,
    /// Any provider whose webhooks follow Standard Webhooks 1.0.
    Standard,
}

impl Provider {
    /// The provider in a row's `provider` column.
    pub(crate) fn from_row(row: &Row) -> Result<Self, Error> {
        Ok(Self::try_from(row::get::<&str>(row, "provider")?).map_err(row::unknown)?)
    }

    /// The provider's name in columns, paths and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stripe => "stripe",
            Self::Standard => "standard",
        }
    }
}

impl TryFrom<&str> for Provider {
    type Error = Invalid;

    fn try_from(text: &str) -> Result<Self, Invalid> {
        match text {
            "stripe" => Ok(Self::Stripe),
            "standard" => Ok(Self::Standard),
            _ => Err(Invalid::new("must be stripe or standard")),
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Defines a text that is kept for people to read: cut at a number of bytes, with characters that Postgres cannot store
/// replaced.
macro_rules! kept_text {
    ($(#[$doc:meta])* $name:ident, $max_bytes:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The maximum length, in bytes.
            pub const MAX_BYTES: usize = $max_bytes;

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&[u8]> for $name {
            fn from(bytes: &[u8]) -> Self {
                let mut text = String::from_utf8_lossy(&bytes[..bytes.len().min(Self::MAX_BYTES)]).replace('\0', "\u{fffd}");
                // A replacement character may be longer than what it replaces.
                text.truncate(text.floor_char_boundary(Self::MAX_BYTES));
                Self(text)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                text.as_bytes().into()
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                text.as_bytes().into()
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }
    };
}

kept_text! {
    /// The provider's name for this kind of event: `payment_intent.succeeded`.
    EventType, 255
}

kept_text! {
    /// The first 64 KiB of the event's body as received. It may contain personal data: never log it. Its `Debug` shows
    /// only its length.
    Payload, 64 * 1024
}

impl fmt::Debug for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventType({:?})", self.0)
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.0.len())
    }
}

/// A provider's event whose signature was verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentEvent {
    /// The provider that sent it.
    pub provider: Provider,
    /// Its id, which identifies repeated deliveries.
    pub event_id: EventId,
    /// The provider's name for this kind of event.
    pub event_type: EventType,
    /// The payment that it is about. An event without one is stored and changes nothing.
    pub payment_id: Option<PaymentId>,
    /// The booking that it names, if that is a well-formed id.
    pub booking_id: Option<BookingId>,
    /// When it happened, by the provider's clock.
    pub occurred_at: Timestamp,
    /// What it reports about the payment.
    pub change: PaymentChange,
    /// Its body.
    pub payload: Payload,
}

/// What an event reports about its payment.
///
/// Messages in the payments queue contain it, and an older version may have sent them: variants may be added, but never
/// renamed or removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentChange {
    /// This amount arrived, in the currency of the booking's price.
    Succeeded(Money),
    /// The amount that arrived is not all for the booking, or its currency is not that of the booking's price.
    SucceededFor {
        /// The amount that arrived, which limits what can be refunded.
        received: Money,
        /// The part that pays for a booking, in one currency: one or two candidates, with and without the tax that was
        /// reported. It pays for a booking whose price is one of them.
        prices: Vec<Money>,
    },
    /// An attempt failed. The buyer may try again.
    Failed,
    /// The buyer or the provider gave the payment up.
    Cancelled,
    /// The total that was refunded, or is on its way back to the buyer, over all refunds.
    Refunded(Refund),
    /// The state of one refund, which has an id of its own.
    Refund {
        /// Its id: all events about one refund, of any type, update one row.
        id: RefundId,
        /// The amount that it refunds.
        amount: Money,
        /// Its state.
        state: RefundState,
    },
    /// A refund failed, and the event does not say which: all refunds reported before it count as failed.
    RefundFailed,
    /// The buyer's bank takes the money back, or asks why it should not.
    Disputed {
        /// The dispute's id.
        id: DisputeId,
        /// The disputed amount; the whole payment if the event does not say.
        amount: Option<Money>,
        /// Its state.
        state: DisputeState,
    },
    /// Nothing that matters here: stored without effect.
    Other,
    /// The signature is valid but the body was not understood: stored, and an operator should look at it.
    Unreadable,
}

/// How much of a payment was refunded in total, as far as the event knows. Only money that was received can be
/// refunded: money that was authorised and never captured is not counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refund {
    /// All of it.
    Full,
    /// This much. It is all of it if the payment was of the same amount.
    Amount(Money),
    /// This much, and the provider says that this is not all of it (Stripe's `refunded: false`).
    Part(Money),
}

/// Defines an enum that has the same words in columns and in messages.
macro_rules! stages {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// The word used in the column and in responses.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }
    };
}

stages! {
    /// The state of a refund, in the order of progress: of two events the one with the later state counts, whichever
    /// arrives first.
    RefundState {
        /// On its way.
        Pending = "pending",
        /// The money went back to the buyer.
        Succeeded = "succeeded",
        /// The money did not go back, or it came back: we hold it. A new attempt is a new refund.
        Failed = "failed",
    }
}

stages! {
    /// The state of a dispute. The first three are open, the others final: a final state counts over any other,
    /// whichever event arrives first.
    DisputeState {
        /// It was opened, as a chargeback or as an inquiry that may become one.
        Opened = "opened",
        /// The money was withdrawn from us until the dispute is decided.
        FundsWithdrawn = "funds_withdrawn",
        /// The money was returned to us; a decision follows.
        FundsReinstated = "funds_reinstated",
        /// An inquiry was answered and ended without a chargeback.
        Closed = "closed",
        /// We keep the money.
        Won = "won",
        /// The buyer keeps the money.
        Lost = "lost",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_survives_a_round_trip_through_the_queue() {
        let money = Money::new(5_000, "eur").unwrap();
        for change in [
            PaymentChange::Succeeded(money.clone()),
            PaymentChange::SucceededFor {
                received: Money::new(6_450, "usd").unwrap(),
                prices: vec![Money::new(5_950, "eur").unwrap(), money.clone()],
            },
            PaymentChange::Failed,
            PaymentChange::Refunded(Refund::Full),
            PaymentChange::Refunded(Refund::Amount(money.clone())),
            PaymentChange::Refunded(Refund::Part(money.clone())),
            PaymentChange::Refund { id: "re_1".try_into().unwrap(), amount: money.clone(), state: RefundState::Failed },
            PaymentChange::RefundFailed,
            PaymentChange::Disputed {
                id: "dp_1".try_into().unwrap(),
                amount: Some(money),
                state: DisputeState::FundsWithdrawn,
            },
            PaymentChange::Disputed { id: "dp_1".try_into().unwrap(), amount: None, state: DisputeState::Lost },
            PaymentChange::Unreadable,
        ] {
            let event = PaymentEvent {
                provider: Provider::Stripe,
                event_id: "evt_1".try_into().unwrap(),
                event_type: "payment_intent.succeeded".into(),
                payment_id: Some("pi_1".try_into().unwrap()),
                booking_id: Some("42-019a5b7e-8f00-7abc-8def-0123456789ab".parse().unwrap()),
                occurred_at: "2026-07-01T12:00:00.123456Z".parse().unwrap(),
                change,
                payload: "{\"a\": \"ü\"}".into(),
            };
            let text = serde_json::to_string(&event).unwrap();
            assert_eq!(serde_json::from_str::<PaymentEvent>(&text).unwrap(), event, "{text}");
        }
    }

    /// A queue keeps messages for 14 days. These were written before refunds had their own rows.
    #[test]
    fn messages_of_an_older_version_can_be_read() {
        let money = Money::new(5_000, "EUR").unwrap();
        for (text, change) in [
            (r#"{"succeeded":{"minor":5000,"currency":"EUR"}}"#, PaymentChange::Succeeded(money.clone())),
            (r#""failed""#, PaymentChange::Failed),
            (r#""cancelled""#, PaymentChange::Cancelled),
            (r#"{"refunded":"full"}"#, PaymentChange::Refunded(Refund::Full)),
            (
                r#"{"refunded":{"amount":{"minor":5000,"currency":"EUR"}}}"#,
                PaymentChange::Refunded(Refund::Amount(money)),
            ),
            (r#""refund_failed""#, PaymentChange::RefundFailed),
            (r#""other""#, PaymentChange::Other),
            (r#""unreadable""#, PaymentChange::Unreadable),
        ] {
            let text = format!(
                r#"{{"provider":"stripe","event_id":"evt_1","event_type":"t","payment_id":"pi_1","booking_id":null,
                "occurred_at":"2026-07-01T12:00:00Z","change":{text},"payload":"{{}}"}}"#
            );
            assert_eq!(serde_json::from_str::<PaymentEvent>(&text).unwrap().change, change, "{text}");
        }
    }

    #[test]
    fn a_payload_is_cut_and_made_storable() {
        assert_eq!(Payload::from(&b"a\0b\xff"[..]).as_str(), "a\u{fffd}b\u{fffd}");
        assert!(Payload::from("ü".repeat(64 * 1024).as_str()).as_str().len() <= Payload::MAX_BYTES);
        assert!(Payload::from("\0".repeat(64 * 1024).as_str()).as_str().len() <= Payload::MAX_BYTES);
    }
}
