//! Payments, as they stand after all their events so far.

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
    shows::ShowId,
};

/// Makes an enum of the words of a text column.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $expected:expr, { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word of the column, of parameters and of answers.
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
    /// Where a payment is. One whose success we know is `confirmed`, `refund_due`, `refunded` or `unclaimed`; while somebody
    /// must see to a dispute about it, it is `disputed`, whichever of them it is besides.
    PaymentState, "must be pending, failed, confirmed, refund_due, refunded, unclaimed or disputed", {
        /// Heard of, and nothing decided: no event told of its success.
        Pending = "pending",
        /// The last that was heard is that it failed or was cancelled. It may still succeed.
        Failed = "failed",
        /// It paid for a booking that is confirmed.
        Confirmed = "confirmed",
        /// Its money is with us and buys nothing: an operator gives it back.
        RefundDue = "refund_due",
        /// Its money went back.
        Refunded = "refunded",
        /// It succeeded and names no booking: it is another shop's of the same account, or nobody's. Nothing is done.
        Unclaimed = "unclaimed",
        /// The buyer's bank disputes it, or has taken the money back and an operator must decide what becomes of the booking.
        Disputed = "disputed",
    }
}

words! {
    /// Why a payment's money is to be given back.
    RefundReason, "must be a reason for a refund", {
        /// It names no booking. Nothing is due: it is only said why the payment is unclaimed.
        NamesNoBooking = "names_no_booking",
        /// It names a booking that does not exist.
        UnknownBooking = "unknown_booking",
        /// The booking has no price: it is not for sale by payment.
        NoPrice = "no_price",
        /// It is not the booking's amount, or in another currency.
        WrongAmount = "wrong_amount",
        /// Another payment has confirmed the booking.
        AlreadyPaid = "already_paid",
        /// It came after the hold, and the show has not enough seats any more.
        HoldExpiredSoldOut = "hold_expired_sold_out",
        /// It came after the hold, and the show has started.
        HoldExpiredShowStarted = "hold_expired_show_started",
        /// It came after the hold, and with these seats its holder would have more than one may.
        HolderLimit = "holder_limit",
        /// The holder had cancelled the booking.
        BookingCancelled = "booking_cancelled",
        /// The booking was paid and refunded before.
        BookingRefunded = "booking_refunded",
        /// It was given back, and that failed.
        RefundFailed = "refund_failed",
        /// A dispute about it was lost, and its booking cancelled by an operator: what of its money is still here goes back.
        DisputeLost = "dispute_lost",
    }
}

/// A refund of a payment, as its row was at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownRefund {
    /// The provider's id of it.
    pub refund_id: RefundId,
    /// How much it gives back, in minor units.
    pub amount_minor: i64,
    /// Of which currency.
    pub currency: Currency,
    /// Where it is.
    pub state: RefundState,
}

/// A dispute about a payment, as its row was at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownDispute {
    /// The provider's id of it.
    pub dispute_id: DisputeId,
    /// How much is disputed, in minor units; all of it where the provider did not say.
    pub amount_minor: Option<i64>,
    /// Of which currency.
    pub currency: Option<Currency>,
    /// Where it is.
    pub state: DisputeState,
    /// What an operator decided once it was lost.
    pub decision: Option<DisputeDecision>,
}

/// What becomes of a booking whose payment was lost in a dispute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DisputeDecision {
    /// It stays as it is, though its money is gone.
    Keep,
    /// It fails and its seats are given back, unless another payment of it takes the place of this one.
    Cancel,
}

impl DisputeDecision {
    /// The word of the column, of requests and of answers.
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

/// A payment as its row was at one moment.
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
    /// The payment in a row with the columns of `payments` and of the function `payment_report`.
    pub(crate) fn from_row(row: &Row) -> Result<Self, Error> {
        let show_id: Option<i64> = row::get(row, "show_id")?;
        let booking_id = show_id.zip(row::get(row, "booking_id")?);
        Ok(Self {
            provider: Provider::from_row(row)?,
            payment_id: PaymentId::try_from(row::get::<&str>(row, "payment_id")?).map_err(row::unknown)?,
            booking_id: booking_id.map(|(show_id, id)| BookingId::from_row(ShowId::from_row(show_id), id)),
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

    /// Whose it is.
    pub fn provider(&self) -> Provider {
        self.provider
    }

    /// The provider's id of it.
    pub fn payment_id(&self) -> &PaymentId {
        &self.payment_id
    }

    /// The booking that it names; it may not exist.
    pub fn booking_id(&self) -> Option<BookingId> {
        self.booking_id
    }

    /// How much arrived, once that is known.
    pub fn amount(&self) -> Option<&Money> {
        self.amount.as_ref()
    }

    /// Where it is.
    pub fn state(&self) -> PaymentState {
        self.state
    }

    /// Why its refund is due, or was; or why it is unclaimed.
    pub fn reason(&self) -> Option<RefundReason> {
        self.reason
    }

    /// What of it went back, or is on its way, in minor units.
    pub fn refunded_minor(&self) -> i64 {
        self.refunded_minor
    }

    /// What of it is still to be sent back, in minor units: of a confirmed payment what failed to go back.
    pub fn refund_due_minor(&self) -> i64 {
        self.refund_due_minor
    }

    /// Its refunds that a provider told of by their ids, the latest 20, the oldest first.
    pub fn refunds(&self) -> &[KnownRefund] {
        &self.refunds
    }

    /// The disputes about it, the latest 20, the oldest first.
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

/// Where a page of payments ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentCursor {
    pub(crate) created_at: Timestamp,
    pub(crate) provider: String,
    pub(crate) payment_id: String,
}

impl PaymentCursor {
    /// After what is in this row.
    pub(super) fn from_row(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            created_at: row::get(row, "created_at")?,
            provider: row::get(row, "provider")?,
            payment_id: row::get(row, "payment_id")?,
        })
    }

    /// Before every payment: 1970.
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
