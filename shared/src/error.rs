//! What an operation can answer other than success.

use crate::platform::db::{self, Fault};

pub use crate::platform::Cause;

/// Why an operation did not do what it was asked.
///
/// `Display` is fit for a client: it names no internals. The cause, where there is one, is the
/// [`source`](std::error::Error::source), for the log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No show has this id.
    #[error("There is no show with this id.")]
    ShowNotFound,
    /// No booking has this id.
    #[error("There is no booking with this id.")]
    BookingNotFound,
    /// The show has fewer free seats than were asked for.
    #[error("{}", seats_left(*available))]
    SoldOut {
        /// Seats that were free when it was decided; they may be in several pools.
        available: i64,
    },
    /// The show has begun; it is no longer sold.
    #[error("The show has started and is no longer sold.")]
    ShowStarted,
    /// A new show must start in the future.
    #[error("The show must start in the future.")]
    ShowInPast,
    /// More seats than one booking of this show may have.
    #[error("One booking of this show may have {} at most.", seats(*max))]
    TooManySeats {
        /// The show's limit, in seats.
        max: i32,
    },
    /// The holder would hold more seats of the show at a time than it may.
    #[error("{}", pending_limit(*held, *max))]
    PendingLimit {
        /// Seats that it holds unpaid.
        held: i64,
        /// What it may hold, in seats.
        max: i32,
    },
    /// The holder would have more seats of the show, held and sold, than it may.
    #[error("{}", holder_limit(*held, *max))]
    HolderLimit {
        /// Seats that it has.
        held: i64,
        /// What it may have, in seats.
        max: i32,
    },
    /// Too many of the holder's holds of the show ended unpaid: it must wait.
    #[error("Too many of your holds of this show ended unpaid. Please wait before you book again.")]
    HolderWaits {
        /// For how long, in whole seconds, an hour at most.
        seconds: u32,
        /// Holds of an hour that may end unpaid.
        allowed: i32,
    },
    /// Too many bookings of the holder are in progress: it is told at once, so that nobody else waits for its turns.
    #[error("Too many of your bookings of this show at once. Please try again in a second.")]
    HolderBusy,
    /// The key was used for another request.
    #[error("This idempotency key was used for a different request.")]
    IdempotencyKeyReused,
    /// The hold ended before this call. Its seats were given back, or will be in a moment.
    #[error("The hold has expired.")]
    BookingExpired,
    /// The booking was cancelled before this call.
    #[error("The booking was cancelled and its seats were given back.")]
    BookingCancelled,
    /// The booking is confirmed, which this call does not undo.
    #[error("The booking is confirmed and can no longer be cancelled or extended.")]
    BookingConfirmed,
    /// The booking was paid and refunded before this call.
    #[error("The booking was refunded and its seats were given back.")]
    BookingRefunded,
    /// No payment has this id.
    #[error("There is no payment with this id.")]
    PaymentNotFound,
    /// The payment's money is not to be given back.
    #[error("The payment's money is not due to be refunded.")]
    PaymentNotDue,
    /// No dispute about the payment was lost and waits for a decision, or the other decision was made.
    #[error("No lost dispute about this payment waits for this decision.")]
    DisputeNotLost,
    /// No event has this id.
    #[error("There is no event with this id.")]
    EventNotFound,
    /// The event's body is not understood: not when it came, nor by this version.
    #[error("{}", unreadable(*is_cut))]
    EventUnreadable {
        /// The body was so long that a part of it may not have been kept; then no version will.
        is_cut: bool,
    },
    /// The event is of a mode or an account of Stripe whose events this stack does not take.
    #[error("The event is of another mode or account of Stripe than this deployment takes.")]
    EventIgnored,
    /// A lock was not had in time, or transactions kept colliding, of whatever operation. Nothing was changed; trying again helps.
    #[error("Another change is in progress. Please try again.")]
    Busy(#[source] Cause),
    /// The database cannot be reached, or cannot do now what it is for. Whether the call took effect may be unknown; repeating it is safe for every
    /// operation but the creation of a show without a key.
    #[error("The service is unavailable for a moment. Please try again.")]
    Unavailable(#[source] Cause),
    /// A defect, ours or the schema's. Nothing was changed.
    #[error("Something went wrong on our side.")]
    Internal(#[source] Cause),
}

impl Error {
    /// Whether the same call may succeed a little later, unchanged.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Busy(_) | Self::Unavailable(_) | Self::HolderWaits { .. } | Self::HolderBusy => true,
            Self::ShowNotFound
            | Self::BookingNotFound
            | Self::SoldOut { .. }
            | Self::ShowStarted
            | Self::ShowInPast
            | Self::TooManySeats { .. }
            | Self::PendingLimit { .. }
            | Self::HolderLimit { .. }
            | Self::IdempotencyKeyReused
            | Self::BookingExpired
            | Self::BookingCancelled
            | Self::BookingConfirmed
            | Self::BookingRefunded
            | Self::PaymentNotFound
            | Self::PaymentNotDue
            | Self::DisputeNotLost
            | Self::EventNotFound
            | Self::EventUnreadable { .. }
            | Self::EventIgnored
            | Self::Internal(_) => false,
        }
    }
}

impl Error {
    /// Whether the next call would meet the same: the database is away. What it said of one statement may be of that one's rows
    /// alone.
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Unavailable(cause) if !db::is_of_statement(cause))
    }
}

fn seats(count: i32) -> String {
    if count == 1 { "1 seat".to_owned() } else { format!("{count} seats") }
}

fn seats_left(available: i64) -> String {
    match available {
        0 => "The show is sold out.".to_owned(),
        1 => "The show has only 1 seat left.".to_owned(),
        available => format!("The show has only {available} seats left."),
    }
}

/// Whoever holds nothing has nothing to pay for or to give back: the request itself is too large.
fn pending_limit(held: i64, max: i32) -> String {
    if held == 0 {
        return format!("You may hold {max} of this show's seats at a time.");
    }
    format!("You may hold {max} seats of this show at a time and hold {held}: pay for them or give some back first.")
}

fn holder_limit(held: i64, max: i32) -> String {
    if held == 0 {
        return format!("You may have {max} of this show's seats in all.");
    }
    format!("You may have {max} seats of this show in all and have {held}.")
}

fn unreadable(is_cut: bool) -> &'static str {
    if is_cut {
        return "The event's body is not understood, and no more than its first 64 KiB were kept.";
    }
    "The event's body is still not understood; a later version may."
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Collision(cause) | Fault::Duplicate(cause) | Fault::Locked(cause) | Fault::TooSlow(cause) => {
                Self::Busy(cause)
            }
            Fault::HolderBusy => Self::HolderBusy,
            Fault::NotConnected(cause) | Fault::Unfit(cause) | Fault::Lost(cause) => Self::Unavailable(cause),
            Fault::Defect(cause) => Self::Internal(cause),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_nothing_is_not_told_to_give_it_back() {
        let nothing = Error::PendingLimit { held: 0, max: 4 }.to_string();
        assert_eq!(nothing, "You may hold 4 of this show's seats at a time.");
        let some = Error::PendingLimit { held: 3, max: 4 }.to_string();
        assert!(some.contains("hold 3: pay for them or give some back"), "{some}");
        assert_eq!(Error::HolderLimit { held: 0, max: 5 }.to_string(), "You may have 5 of this show's seats in all.");
    }

    /// A lock may be in the way of any operation, of a read and of an operator's too.
    #[test]
    fn what_is_busy_says_nothing_of_bookings() {
        assert!(!Error::Busy("a lock".into()).to_string().contains("booking"));
    }
}
