//! What is counted and measured. `platform::emf` writes it.

use crate::platform::emf::write;

/// A counter. The alarms in the template use these names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// Bookings made. Replays of a request are not counted.
    Booked,
    /// Bookings refused because the show had too few seats.
    SoldOut,
    /// Holds that were confirmed.
    Confirmed,
    /// Holds that were cancelled.
    Cancelled,
    /// Holds that expired.
    Expired,
    /// Hold messages that could not be sent. The sweep expires those holds instead.
    HoldMessageFailed,
    /// Messages that could not be read. They go to the dead-letter queue.
    PoisonMessage,
    /// Payments that became due for a refund, counted when that was decided.
    RefundDue,
    /// Payments that the provider reported as refunded.
    Refunded,
    /// Payments that succeeded but name no booking.
    Unclaimed,
    /// Times that a payment became disputed or a dispute was lost.
    Disputed,
    /// Webhooks with an invalid signature.
    WebhookRefused,
    /// Webhooks with a valid signature and a body that could not be read. They are stored; somebody should look at
    /// them.
    WebhookUnreadable,
    /// Stripe webhooks with a valid signature but of another mode or account than this stack's. They have no effect.
    WebhookIgnored,
    /// Payment events that the database could not accept when they arrived and that went to the queue.
    PaymentQueued,
    /// Payment events that neither the database nor the queue could accept. The provider must send them again.
    PaymentNotTaken,
    /// Rows that break an invariant, found by the sweep. Each is a defect or a manual change.
    InvariantBroken,
    /// Runs of the sweep that could not check the invariants.
    CheckFailed,
    /// Shows whose holds the sweep could not expire because their seats cannot be released. Other shows are not
    /// delayed.
    ShowPassedOver,
    /// Rows left out of a list because they could not be read. Each comes from a manual change or a later version.
    RowUnreadable,
    /// Successful payments, found by the sweep, whose booking is not confirmed and whose money is not due for a refund.
    PaidNotConfirmed,
    /// Bookings that were anonymised.
    Anonymised,
    /// Bookings refused because of the holder's limits: too many seats of the show, or too many holds that ended
    /// unpaid.
    HolderLimited,
    /// Invalid access tokens.
    TokenRefused,
    /// Times that the issuer's keys were needed but could not be read.
    IssuerUnreachable,
    /// Requests answered 503 because of a lock or a lost database.
    Unavailable,
}

impl Counter {
    fn name(self) -> &'static str {
        match self {
            Self::Booked => "Booked",
            Self::SoldOut => "SoldOut",
            Self::Confirmed => "Confirmed",
            Self::Cancelled => "Cancelled",
            Self::Expired => "Expired",
            Self::HoldMessageFailed => "HoldMessageFailed",
            Self::PoisonMessage => "PoisonMessage",
            Self::RefundDue => "RefundDue",
            Self::Refunded => "Refunded",
            Self::Unclaimed => "Unclaimed",
            Self::Disputed => "Disputed",
            Self::WebhookRefused => "WebhookRefused",
            Self::WebhookUnreadable => "WebhookUnreadable",
            Self::WebhookIgnored => "WebhookIgnored",
            Self::PaymentQueued => "PaymentQueued",
            Self::PaymentNotTaken => "PaymentNotTaken",
            Self::InvariantBroken => "InvariantBroken",
            Self::CheckFailed => "CheckFailed",
            Self::ShowPassedOver => "ShowPassedOver",
            Self::RowUnreadable => "RowUnreadable",
            Self::PaidNotConfirmed => "PaidNotConfirmed",
            Self::Anonymised => "Anonymised",
            Self::HolderLimited => "HolderLimited",
            Self::TokenRefused => "TokenRefused",
            Self::IssuerUnreachable => "IssuerUnreachable",
            Self::Unavailable => "Unavailable",
        }
    }

    /// Adds `count` to the counter. Never fails: a metric must not fail a request.
    pub fn add(self, count: u64) {
        if count > 0 {
            write(self.name(), count);
        }
    }
}

/// A value measured from time to time. The alarms in the template use these names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gauge {
    /// Transactions since the oldest snapshot that is still in use.
    SnapshotAge,
}

impl Gauge {
    /// Reports the current value, including 0. Never fails.
    pub fn set(self, value: u64) {
        match self {
            Self::SnapshotAge => write("SnapshotAge", value),
        }
    }
}
