//! Counters and gauges, as CloudWatch embedded metric format: a line of the log that CloudWatch reads as a metric. No agent, no
//! call, no cost where the log goes elsewhere.

use crate::platform::emf::write;

/// What is counted. The names are those of the alarms in the template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// Bookings made (replays of a request are not counted).
    Booked,
    /// Bookings refused since the show had too few seats.
    SoldOut,
    /// Holds that became sales.
    Confirmed,
    /// Holds that a holder gave back.
    Cancelled,
    /// Holds that ended by the clock.
    Expired,
    /// Hold messages that could not be sent; the sweep takes their place.
    HoldMessageFailed,
    /// Messages that could not be read; they go to the dead-letter queue.
    PoisonMessage,
    /// Payments whose money is to be given back, when that was decided.
    RefundDue,
    /// Payments whose money went back, by the provider's word.
    Refunded,
    /// Payments that succeeded and name no booking.
    Unclaimed,
    /// Times that a payment became disputed, or that a dispute was lost.
    Disputed,
    /// Webhooks whose signature was not good.
    WebhookRefused,
    /// Webhooks whose signature was good and whose body was not understood. They are kept; somebody should look.
    WebhookUnreadable,
    /// Webhooks of Stripe whose signature was good and whose mode or account is not this stack's. Nothing follows from them.
    WebhookIgnored,
    /// Payment events that the database could not take when they came; the queue has them.
    PaymentQueued,
    /// Payment events that neither the database nor the queue could take: the provider must send them again.
    PaymentNotTaken,
    /// Rows that break an invariant, found by the sweep. Any is a defect or the work of a hand.
    InvariantBroken,
    /// Runs of the sweep that could not look at the invariants.
    CheckFailed,
    /// Shows whose holds the sweep could not end: their seats cannot be given back. Others are not held up.
    ShowPassedOver,
    /// Rows that were left out of a list since they could not be read. Any is the work of a hand, or of a later version.
    RowUnreadable,
    /// Payments that succeeded and whose booking is not confirmed nor the money due back, found by the sweep.
    PaidNotConfirmed,
    /// Bookings whose personal data was taken out.
    Anonymised,
    /// Bookings refused since their holder has, or let go, too much of the show.
    HolderLimited,
    /// Access tokens that were not good.
    TokenRefused,
    /// Times that the issuer's keys could not be read when they were needed.
    IssuerUnreachable,
    /// Requests that were answered 503 because of a lock or a lost database.
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

    /// Adds `count` to the counter. Never fails: a metric is not worth a request.
    pub fn add(self, count: u64) {
        if count > 0 {
            write(self.name(), count);
        }
    }
}

/// What is measured now and then. The names are those of the alarms in the template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gauge {
    /// Transactions since the oldest snapshot that somebody keeps.
    SnapshotAge,
}

impl Gauge {
    /// Says what it is now; 0 too. Never fails.
    pub fn set(self, value: u64) {
        match self {
            Self::SnapshotAge => write("SnapshotAge", value),
        }
    }
}
