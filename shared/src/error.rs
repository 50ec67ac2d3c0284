//! Errors that operations return.

use crate::platform::db::{self, Fault};

pub use crate::platform::Cause;

/// Why an operation failed or was refused.
///
/// `Display` is safe to show to a client: it reveals no internals. The cause, if any, is the
/// [`source`](std::error::Error::source), for the log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No show has this id.
    #[error("There is no show with this id.")]
    ShowNotFound,
    /// No booking has this id.
    #[error("There is no booking with this id.")]
    BookingNotFound,
    /// The show has fewer free seats than requested.
    #[error("{}", seats_left(*available))]
    SoldOut {
        /// Free seats at the time of the decision. They may be spread over several pools.
        available: i64,
    },
    /// The show has started and can no longer be booked.
    #[error("The show has started and can no longer be booked.")]
    ShowStarted,
    /// A new show must start in the future.
    #[error("The show must start in the future.")]
    ShowInPast,
    /// The request has more seats than one booking of this show may have.
    #[error("One booking of this show can have at most {}.", seats(*max))]
    TooManySeats {
        /// The show's limit, in seats.
        max: i32,
    },
    /// The holder would exceed its limit of unpaid seats of the show.
    #[error("{}", pending_limit(*held, *max))]
    PendingLimit {
        /// Seats that the holder currently holds unpaid.
        held: i64,
        /// The limit, in seats.
        max: i32,
    },
    /// The holder would exceed its limit of seats of the show, held and sold.
    #[error("{}", holder_limit(*held, *max))]
    HolderLimit {
        /// Seats that the holder currently has.
        held: i64,
        /// The limit, in seats.
        max: i32,
    },
    /// Too many of the holder's holds of the show ended unpaid, so it must wait.
    #[error("Too many of your holds for this show ended unpaid. Please wait before you book again.")]
    HolderWaits {
        /// How long to wait, in whole seconds, at most an hour.
        seconds: u32,
        /// Number of holds that may end unpaid within an hour.
        allowed: i32,
    },
    /// Too many bookings of the holder are in progress. It is refused at once, so that nobody else waits behind it.
    #[error("Too many of your bookings for this show are in progress. Please try again in a second.")]
    HolderBusy,
    /// The idempotency key was used for a different request.
    #[error("This idempotency key was used for a different request. Please use a new key.")]
    IdempotencyKeyReused,
    /// The hold ended before this call. Its seats were released, or will be in a moment.
    #[error("The hold has expired.")]
    BookingExpired,
    /// The booking was cancelled before this call.
    #[error("The booking was cancelled and its seats were released.")]
    BookingCancelled,
    /// The booking is confirmed, and this call cannot undo that.
    #[error("The booking is confirmed and can no longer be cancelled or extended.")]
    BookingConfirmed,
    /// The booking was paid and refunded before this call.
    #[error("The booking was refunded and its seats were released.")]
    BookingRefunded,
    /// No payment has this id.
    #[error("There is no payment with this id.")]
    PaymentNotFound,
    /// No refund is due for the payment.
    #[error("No refund is due for this payment.")]
    PaymentNotDue,
    /// The payment has no lost dispute that waits for a decision, or the other decision was made.
    #[error("This payment has no lost dispute that is waiting for this decision.")]
    DisputeNotLost,
    /// No event has this id.
    #[error("There is no event with this id.")]
    EventNotFound,
    /// The event's body could not be read when it arrived, and this version cannot read it either.
    #[error("{}", unreadable(*is_cut))]
    EventUnreadable {
        /// The body was so long that part of it may not have been stored. Then no later version can read it.
        is_cut: bool,
    },
    /// The event belongs to a Stripe mode or account that this deployment does not accept.
    #[error("The event belongs to a Stripe mode or account that this deployment does not accept.")]
    EventIgnored,
    /// A lock timed out, or transactions kept colliding; any operation can return this. Nothing was changed, and a
    /// retry helps.
    #[error("Another change is in progress. Please try again.")]
    Busy(#[source] Cause),
    /// The database cannot be reached, or is up but cannot serve the operation now. The call may have taken effect.
    /// Repeating it is safe for every operation except creating a show without a key.
    #[error("The service is temporarily unavailable. Please try again.")]
    Unavailable(#[source] Cause),
    /// A defect, in our code or in the schema. Nothing was changed.
    #[error("Something went wrong on our side.")]
    Internal(#[source] Cause),
}

impl Error {
    /// Whether the same call, unchanged, may succeed a little later.
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
    /// Whether the next call is likely to fail too because the database is down. An error of one statement may concern
    /// only the rows of that statement.
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

/// A holder without unpaid seats has nothing to pay for or cancel: the request itself is too large.
fn pending_limit(held: i64, max: i32) -> String {
    let limit = seats(max);
    if held == 0 {
        return format!("You can hold at most {limit} of this show at a time.");
    }
    format!("You can hold at most {limit} of this show at a time and already hold {held}. Please pay or cancel first.")
}

fn holder_limit(held: i64, max: i32) -> String {
    let limit = seats(max);
    if held == 0 {
        return format!("You can have at most {limit} of this show in total.");
    }
    format!("You can have at most {limit} of this show in total and already have {held}.")
}

fn unreadable(is_cut: bool) -> &'static str {
    if is_cut {
        return "The event's body cannot be read, and only its first 64 KiB were stored.";
    }
    "The event's body still cannot be read. A later version may be able to read it."
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
    fn limit_error_without_held_seats_gives_no_advice() {
        let nothing = Error::PendingLimit { held: 0, max: 4 }.to_string();
        assert_eq!(nothing, "You can hold at most 4 seats of this show at a time.");
        let some = Error::PendingLimit { held: 3, max: 4 }.to_string();
        assert!(some.contains("already hold 3. Please pay or cancel first."), "{some}");
        let total = Error::HolderLimit { held: 0, max: 5 }.to_string();
        assert_eq!(total, "You can have at most 5 seats of this show in total.");
    }

    /// Any operation can meet a lock: a read or an operator's operation too.
    #[test]
    fn busy_error_does_not_mention_bookings() {
        assert!(!Error::Busy("a lock".into()).to_string().contains("booking"));
    }
}
