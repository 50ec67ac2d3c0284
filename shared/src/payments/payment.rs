//! Payments, in the state that follows from all their events so far.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};

use tokio_postgres::Row;

use super::{DisputeId, DisputeState, PaymentId, Provider, RefundId, RefundState};
use crate::{
    Error, Invalid,
    bookings::BookingId,
    money::{Currency, Money, amount_members},
    page::{Position, time_of, time_value},
    platform::db::row,
};

/// Defines an enum whose variants are the words of a text column.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $expected:expr, { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// All variants.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word used in the column, in parameters and in responses.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl FromStr for $name {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<Self, Invalid> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(Invalid::new($expected)),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

words! {
    /// The state of a payment. A payment that is known to have succeeded is `confirmed`, `refund_due`, `refunded` or
    /// `unclaimed`. While a dispute about it needs attention, `disputed` is shown instead of that state.
    PaymentState, "must be pending, failed, confirmed, refund_due, refunded, unclaimed or disputed", {
        /// Known, and nothing decided: no event reported success.
        Pending = "pending",
        /// The latest event says that it failed or was cancelled. It may still succeed.
        Failed = "failed",
        /// It paid for a booking that is confirmed.
        Confirmed = "confirmed",
        /// We hold its money and it bought nothing: an operator must refund it.
        RefundDue = "refund_due",
        /// Its money was refunded.
        Refunded = "refunded",
        /// It succeeded and names no booking: it belongs to another shop on the same account, or to nobody. Nothing is
        /// done.
        Unclaimed = "unclaimed",
        /// The buyer's bank disputes it, or has taken the money back and an operator must decide about the booking.
        Disputed = "disputed",
    }
}

words! {
    /// Why a payment is to be refunded.
    RefundReason, "must be a reason for a refund", {
        /// It names no booking. No refund is due: the reason only says why the payment is unclaimed.
        NamesNoBooking = "names_no_booking",
        /// It names a booking that does not exist.
        UnknownBooking = "unknown_booking",
        /// The booking has no price, so it cannot be paid for.
        NoPrice = "no_price",
        /// Its amount or currency is not the booking's.
        WrongAmount = "wrong_amount",
        /// Another payment confirmed the booking.
        AlreadyPaid = "already_paid",
        /// It arrived after the hold expired, and the show does not have enough seats left.
        HoldExpiredSoldOut = "hold_expired_sold_out",
        /// It arrived after the hold expired, and the show has started.
        HoldExpiredShowStarted = "hold_expired_show_started",
        /// It arrived after the hold expired, and these seats would put its holder over the limit.
        HolderLimit = "holder_limit",
        /// The holder cancelled the booking first.
        BookingCancelled = "booking_cancelled",
        /// The booking was paid for and refunded before.
        BookingRefunded = "booking_refunded",
        /// A refund of it failed.
        RefundFailed = "refund_failed",
        /// A dispute about it was lost and an operator cancelled its booking: refund what we still hold.
        DisputeLost = "dispute_lost",
    }
}

/// A snapshot of a payment's refund.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownRefund {
    /// The provider's id of the refund.
    pub refund_id: RefundId,
    /// The refunded amount, in minor units.
    pub amount_minor: i64,
    /// The currency of the amount.
    pub currency: Currency,
    /// The refund's state.
    pub state: RefundState,
}

/// A snapshot of a dispute about a payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownDispute {
    /// The provider's id of the dispute.
    pub dispute_id: DisputeId,
    /// The disputed amount, in minor units; `None` (all of the payment) if the provider did not say.
    pub amount_minor: Option<i64>,
    /// The currency of the amount.
    pub currency: Option<Currency>,
    /// The dispute's state.
    pub state: DisputeState,
    /// What an operator decided after it was lost.
    pub decision: Option<DisputeDecision>,
}

/// An operator's decision about a booking whose payment was lost in a dispute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DisputeDecision {
    /// The booking stays as it is, although its money is gone.
    Keep,
    /// The booking fails and its seats are released, unless another payment of the booking replaces this one.
    Cancel,
}

impl DisputeDecision {
    /// The word used in the column, in requests and in responses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Cancel => "cancel",
        }
    }
}

impl TryFrom<&str> for DisputeDecision {
    type Error = Invalid;

    fn try_from(text: &str) -> Result<Self, Invalid> {
        match text {
            "keep" => Ok(Self::Keep),
            "cancel" => Ok(Self::Cancel),
            _ => Err(Invalid::new("must be keep or cancel")),
        }
    }
}

/// A snapshot of a payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Payment {
    pub(crate) provider: Provider,
    #[serde(flatten, serialize_with = "id_members")]
    pub(crate) payment_id: PaymentId,
    pub(crate) booking_id: Option<BookingId>,
    #[serde(flatten, serialize_with = "amount_members")]
    pub(crate) amount: Option<Money>,
    pub(crate) state: PaymentState,
    pub(crate) reason: Option<RefundReason>,
    pub(crate) refunded_minor: i64,
    pub(crate) refund_due_minor: i64,
    pub(crate) refunds: Vec<KnownRefund>,
    pub(crate) disputes: Vec<KnownDispute>,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

impl Payment {
    /// Reads a payment from a row with the columns of `payments` and of the function `payment_report`.
    pub(crate) fn from_row(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            provider: Provider::from_row(row)?,
            payment_id: PaymentId::try_from(row::get::<&str>(row, "payment_id")?).map_err(row::unknown)?,
            booking_id: BookingId::named_in(row)?,
            amount: Money::from_row(row, "amount_minor")?,
            state: row::get::<&str>(row, "shown_state")?.parse().map_err(row::unknown)?,
            reason: row::get::<Option<&str>>(row, "reason")?.map(str::parse).transpose().map_err(row::unknown)?,
            refunded_minor: row::get(row, "refunded_minor")?,
            refund_due_minor: row::get(row, "refund_due_minor")?,
            refunds: row::json(row, "refunds")?,
            disputes: row::json(row, "disputes")?,
            created_at: row::get(row, "created_at")?,
            updated_at: row::get(row, "updated_at")?,
        })
    }

    /// The provider that took it.
    pub fn provider(&self) -> Provider {
        self.provider
    }

    /// The provider's id of the payment.
    pub fn payment_id(&self) -> &PaymentId {
        &self.payment_id
    }

    /// The booking that it names, which may not exist.
    pub fn booking_id(&self) -> Option<BookingId> {
        self.booking_id
    }

    /// The amount that arrived, once it is known.
    pub fn amount(&self) -> Option<&Money> {
        self.amount.as_ref()
    }

    /// Its state.
    pub fn state(&self) -> PaymentState {
        self.state
    }

    /// Why its refund is due or was due, or why it is unclaimed.
    pub fn reason(&self) -> Option<RefundReason> {
        self.reason
    }

    /// The amount that was refunded or is on its way back, in minor units.
    pub fn refunded_minor(&self) -> i64 {
        self.refunded_minor
    }

    /// The amount still to be refunded, in minor units. For a confirmed payment: the amount of its failed refunds.
    pub fn refund_due_minor(&self) -> i64 {
        self.refund_due_minor
    }

    /// Its refunds that a provider reported by id: the latest 20, oldest first.
    pub fn refunds(&self) -> &[KnownRefund] {
        &self.refunds
    }

    /// The disputes about it: the latest 20, oldest first.
    pub fn disputes(&self) -> &[KnownDispute] {
        &self.disputes
    }
}

fn id_members<S: Serializer>(id: &PaymentId, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Members<'a> {
        payment_id: &'a PaymentId,
        path_id: String,
    }
    Members { payment_id: id, path_id: id.path_id() }.serialize(serializer)
}

/// The position in the list of payments where a page ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentCursor {
    pub(crate) created_at: Timestamp,
    pub(crate) provider: String,
    pub(crate) payment_id: String,
}

impl PaymentCursor {
    /// The position just after this row.
    pub(super) fn from_row(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            created_at: row::get(row, "created_at")?,
            provider: row::get(row, "provider")?,
            payment_id: row::get(row, "payment_id")?,
        })
    }

    /// The position before every payment: 1970.
    pub(crate) fn start() -> Self {
        Self { created_at: Timestamp::UNIX_EPOCH, provider: String::new(), payment_id: String::new() }
    }
}

impl Position for PaymentCursor {
    const LIST: &'static str = "payments";

    fn values(&self) -> Vec<String> {
        vec![time_value(self.created_at), self.provider.clone(), self.payment_id.clone()]
    }

    fn of(values: &[&str]) -> Option<Self> {
        let [created_at, provider, payment_id] = values else { return None };
        let (provider, payment_id) = (Provider::try_from(*provider).ok()?, PaymentId::try_from(*payment_id).ok()?);
        Some(Self {
            created_at: time_of(created_at)?,
            provider: provider.as_str().to_owned(),
            payment_id: payment_id.into(),
        })
    }
}
