//! What a payment provider tells us: one verified event, parsed.
//!
//! It can be written as JSON and read again, as a message of the payments queue.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use tokio_postgres::Row;

use crate::{
    Error, Invalid,
    bookings::BookingId,
    money::Money,
    platform::{db::row, path_id},
};

/// Who took the money, or rather which scheme its webhooks follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// Stripe.
    Stripe,
    /// Any provider whose webhooks follow Standard Webhooks 1.0.
    Standard,
}

impl Provider {
    /// The provider in a row.
    pub(crate) fn from_row(row: &Row) -> Result<Self, Error> {
        Ok(Self::try_from(row::get::<&str>(row, "provider")?).map_err(row::unknown)?)
    }

    /// The provider as it stands in columns, paths and metrics.
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

/// Makes an id that a provider gave out: 1 to 255 visible ASCII characters.
macro_rules! provider_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The id as the provider wrote it.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The id as it stands in a path: itself if it has only `[A-Za-z0-9_-]`, else `b64.` and its base64url.
            pub fn path_id(&self) -> String {
                path_id::write(&self.0)
            }

            /// The ids that a segment of a path may mean, the likeliest first: one if it is a [`path_id`](Self::path_id),
            /// else what it says percent-decoded once, and what it says as it is.
            pub fn of_path(segment: &str) -> Vec<Self> {
                path_id::read(segment).into_iter().filter_map(|id| Self::try_from(id).ok()).collect()
            }
        }

        impl TryFrom<&str> for $name {
            type Error = Invalid;

            fn try_from(text: &str) -> Result<Self, Invalid> {
                if (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(Invalid::new("must be 1 to 255 visible ASCII characters"))
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = Invalid;

            fn try_from(text: String) -> Result<Self, Invalid> {
                text.as_str().try_into()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

provider_id! {
    /// One event of a provider. A repeated delivery has the same id.
    EventId
}

impl EventId {
    /// The id of an event that has none that can be kept: made of its content's SHA-256, so that a repetition has it too.
    pub fn from_digest(digest: [u8; 32]) -> Self {
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Self(format!("sha256-{hex}"))
    }
}

provider_id! {
    /// One payment at a provider. All its events name it: what is paid, failed and refunded is the payment, not the
    /// event. For Stripe: the payment intent.
    PaymentId
}

provider_id! {
    /// One refund of a payment at a provider.
    RefundId
}

provider_id! {
    /// One dispute about a payment at a provider.
    DisputeId
}

/// Makes a text that is kept for people to read: cut at a number of bytes, whatever Postgres cannot store replaced.
macro_rules! kept_text {
    ($(#[$doc:meta])* $name:ident, $max_bytes:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The greatest length, in bytes.
            pub const MAX_BYTES: usize = $max_bytes;

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&[u8]> for $name {
            fn from(bytes: &[u8]) -> Self {
                let mut text = String::from_utf8_lossy(&bytes[..bytes.len().min(Self::MAX_BYTES)]).replace('\0', "\u{fffd}");
                // A replacement may be longer than what it replaces.
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
    /// What the provider calls this kind of event: `payment_intent.succeeded`.
    EventType, 255
}

kept_text! {
    /// The body of the event as it was received, up to 64 KiB of it. It may have personal data: it belongs in no log, and its
    /// `Debug` shows only how long it is.
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

/// One verified event of a provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentEvent {
    /// Whose it is.
    pub provider: Provider,
    /// Its id, by which a repetition is recognised.
    pub event_id: EventId,
    /// What the provider calls it.
    pub event_type: EventType,
    /// The payment that it is about. Without one it is kept and changes nothing.
    pub payment_id: Option<PaymentId>,
    /// The booking that it names, if it names one that can be an id.
    pub booking_id: Option<BookingId>,
    /// When it happened, by the provider's clock.
    pub occurred_at: Timestamp,
    /// What it says of the payment.
    pub change: PaymentChange,
    /// Its body.
    pub payload: Payload,
}

/// What an event says of its payment.
///
/// It is written into messages of the payments queue, which an older version may have sent: a variant may be added, and none
/// may be renamed or taken away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentChange {
    /// This much money arrived, in the currency in which the booking is priced.
    Succeeded(Money),
    /// Money arrived that is not all for the booking, or is in another currency than the booking's price.
    SucceededFor {
        /// All that arrived, and so all that can go back.
        received: Money,
        /// What it pays of a booking, one or two readings of it, in one currency: with the tax that was told, and without. It
        /// pays for a booking whose price is one of them.
        prices: Vec<Money>,
    },
    /// An attempt failed; the buyer may try again.
    Failed,
    /// The payment was given up, by the buyer or the provider.
    Cancelled,
    /// So much money went, or is on its way, back to the buyer in all, whatever refunds it is made of.
    Refunded(Refund),
    /// What is known of one refund, which has an id of its own.
    Refund {
        /// Its id: whatever is told of one refund, by events of whatever types, is told of one row.
        id: RefundId,
        /// How much it gives back.
        amount: Money,
        /// Where it is.
        state: RefundState,
    },
    /// A refund failed, and the event does not say which: all that was told of until then is still with us.
    RefundFailed,
    /// The buyer's bank takes the money back, or asks why it should not.
    Disputed {
        /// The dispute's id.
        id: DisputeId,
        /// How much is disputed; all of it where the event does not say.
        amount: Option<Money>,
        /// Where it is.
        state: DisputeState,
    },
    /// Nothing that matters here: acknowledged and kept.
    Other,
    /// The signature was good and the body not understood: kept, and somebody should look.
    Unreadable,
}

/// How much of a payment was given back in all, so far as the event knows. Only money that was received can go back: what was
/// authorised and never captured is in none of these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refund {
    /// All of it.
    Full,
    /// This much. It is all of it if the payment was just as much.
    Amount(Money),
    /// This much, and the provider says that it is not all of it (Stripe's `refunded: false`).
    Part(Money),
}

/// Makes an enum whose word in columns is the one in messages.
macro_rules! stages {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// The word of the column and of answers.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }
    };
}

stages! {
    /// Where one refund is. The order is that in which one follows the other: of two events the one that is further on counts,
    /// whichever comes first.
    RefundState {
        /// On its way.
        Pending = "pending",
        /// The money went back.
        Succeeded = "succeeded",
        /// It did not, or it came back: the money is with us. A new attempt is a new refund.
        Failed = "failed",
    }
}

stages! {
    /// Where a dispute is. The first three are open, the others decided: a decision counts, whatever else is told of before or
    /// after it.
    DisputeState {
        /// It was opened: as a chargeback, or as a question that may become one.
        Opened = "opened",
        /// Its money was taken from us until it is decided.
        FundsWithdrawn = "funds_withdrawn",
        /// Its money was given to us again; a decision follows.
        FundsReinstated = "funds_reinstated",
        /// It ended without a chargeback: a question that was answered.
        Closed = "closed",
        /// We have the money.
        Won = "won",
        /// The buyer has it.
        Lost = "lost",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_survives_the_queue() {
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

    /// A queue has messages for 14 days: these are as the version before refunds were rows of their own wrote them.
    #[test]
    fn what_an_older_version_wrote_is_read() {
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
    fn a_payload_is_cut_and_can_be_stored() {
        assert_eq!(Payload::from(&b"a\0b\xff"[..]).as_str(), "a\u{fffd}b\u{fffd}");
        assert!(Payload::from("ü".repeat(64 * 1024).as_str()).as_str().len() <= Payload::MAX_BYTES);
        assert!(Payload::from("\0".repeat(64 * 1024).as_str()).as_str().len() <= Payload::MAX_BYTES);
    }
}
