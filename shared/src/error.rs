//! What an operation can answer other than success.

use std::{error::Error as StdError, fmt};

use crate::db;

/// The cause of a failure that is ours, for the log and never for a client.
pub type Cause = Box<dyn StdError + Send + Sync>;

/// Why an operation did not do what it was asked.
///
/// `Display` is fit for a client: it names no internals. The cause, where there is one, is the
/// [`source`](StdError::source), for the log.
#[derive(Debug)]
pub enum Error {
    /// No show has this id.
    ShowNotFound,
    /// No booking has this id.
    BookingNotFound,
    /// The show has fewer free seats than were asked for.
    SoldOut {
        /// Seats that were free when it was decided; they may be in several pools.
        available: i64,
    },
    /// The show has begun; it is no longer sold.
    ShowStarted,
    /// A new show must start in the future.
    ShowInPast,
    /// More seats than one booking of this show may have.
    TooManySeats {
        /// The show's limit, in seats.
        max: i32,
    },
    /// The holder would hold more seats of the show at a time than it may.
    PendingLimit {
        /// Seats that it holds unpaid.
        held: i64,
        /// What it may hold, in seats.
        max: i32,
    },
    /// The holder would have more seats of the show, held and sold, than it may.
    HolderLimit {
        /// Seats that it has.
        held: i64,
        /// What it may have, in seats.
        max: i32,
    },
    /// Too many of the holder's holds of the show ended unpaid: it must wait.
    HolderWaits {
        /// For how long, in whole seconds, an hour at most.
        seconds: u32,
        /// Holds of an hour that may end unpaid.
        allowed: i32,
    },
    /// Too many bookings of the holder are in progress: it is told at once, so that nobody else waits for its turns.
    HolderBusy,
    /// The key was used for another request.
    IdempotencyKeyReused,
    /// The hold ended before this call. Its seats were given back, or will be in a moment.
    BookingExpired,
    /// The booking was cancelled before this call.
    BookingCancelled,
    /// The booking is confirmed, which this call does not undo.
    BookingConfirmed,
    /// The booking was paid and refunded before this call.
    BookingRefunded,
    /// No payment has this id.
    PaymentNotFound,
    /// The payment's money is not to be given back.
    PaymentNotDue,
    /// No dispute about the payment was lost and waits for a decision, or the other decision was made.
    DisputeNotLost,
    /// No event has this id.
    EventNotFound,
    /// The event's body is not understood: not when it came, nor by this version.
    EventUnreadable {
        /// The body was so long that a part of it may not have been kept; then no version will.
        is_cut: bool,
    },
    /// The event is of a mode or an account of Stripe whose events this stack does not take.
    EventIgnored,
    /// A lock was not had in time, or transactions kept colliding, of whatever operation. Nothing was changed; trying again helps.
    Busy(Cause),
    /// The database cannot be reached, or cannot do now what it is for. Whether the call took effect may be unknown; repeating it is safe for every
    /// operation but the creation of a show without a key.
    Unavailable(Cause),
    /// A defect, ours or the schema's. Nothing was changed.
    Internal(Cause),
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

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ShowNotFound => f.write_str("There is no show with this id."),
            Self::BookingNotFound => f.write_str("There is no booking with this id."),
            Self::SoldOut { available: 0 } => f.write_str("The show is sold out."),
            Self::SoldOut { available: 1 } => f.write_str("The show has only 1 seat left."),
            Self::SoldOut { available } => write!(f, "The show has only {available} seats left."),
            Self::ShowStarted => f.write_str("The show has started and is no longer sold."),
            Self::ShowInPast => f.write_str("The show must start in the future."),
            Self::TooManySeats { max: 1 } => f.write_str("One booking of this show may have 1 seat at most."),
            Self::TooManySeats { max } => {
                write!(f, "One booking of this show may have {max} seats at most.")
            }
            // It asked for more than it may, and has nothing that it could pay for or give back.
            Self::PendingLimit { held: 0, max } => write!(f, "You may hold {max} of this show's seats at a time."),
            Self::PendingLimit { held, max } => write!(
                f,
                "You may hold {max} seats of this show at a time and hold {held}: pay for them or give some back first."
            ),
            Self::HolderLimit { held: 0, max } => write!(f, "You may have {max} of this show's seats in all."),
            Self::HolderLimit { held, max } => {
                write!(f, "You may have {max} seats of this show in all and have {held}.")
            }
            Self::HolderWaits { .. } => {
                f.write_str("Too many of your holds of this show ended unpaid. Please wait before you book again.")
            }
            Self::HolderBusy => {
                f.write_str("Too many of your bookings of this show at once. Please try again in a second.")
            }
            Self::IdempotencyKeyReused => f.write_str("This idempotency key was used for a different request."),
            Self::BookingExpired => f.write_str("The hold has expired."),
            Self::BookingCancelled => f.write_str("The booking was cancelled and its seats were given back."),
            Self::BookingConfirmed => {
                f.write_str("The booking is confirmed and can no longer be cancelled or extended.")
            }
            Self::BookingRefunded => f.write_str("The booking was refunded and its seats were given back."),
            Self::PaymentNotFound => f.write_str("There is no payment with this id."),
            Self::PaymentNotDue => f.write_str("The payment's money is not due to be refunded."),
            Self::DisputeNotLost => f.write_str("No lost dispute about this payment waits for this decision."),
            Self::EventNotFound => f.write_str("There is no event with this id."),
            Self::EventUnreadable { is_cut: false } => {
                f.write_str("The event's body is still not understood; a later version may.")
            }
            Self::EventUnreadable { is_cut: true } => {
                f.write_str("The event's body is not understood, and no more than its first 64 KiB were kept.")
            }
            Self::EventIgnored => {
                f.write_str("The event is of another mode or account of Stripe than this deployment takes.")
            }
            Self::Busy(_) => f.write_str("Another change is in progress. Please try again."),
            Self::Unavailable(_) => f.write_str("The service is unavailable for a moment. Please try again."),
            Self::Internal(_) => f.write_str("Something went wrong on our side."),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Busy(cause) | Self::Unavailable(cause) | Self::Internal(cause) => Some(&**cause),
            Self::ShowNotFound
            | Self::BookingNotFound
            | Self::SoldOut { .. }
            | Self::ShowStarted
            | Self::ShowInPast
            | Self::TooManySeats { .. }
            | Self::PendingLimit { .. }
            | Self::HolderLimit { .. }
            | Self::HolderWaits { .. }
            | Self::HolderBusy
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
            | Self::EventIgnored => None,
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
