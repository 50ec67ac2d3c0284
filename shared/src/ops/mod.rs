//! The operations: one a file, with its statement in a `.sql` file beside it.
//!
//! Every operation may answer [`Error::Busy`](crate::Error::Busy) (a lock was not had within 2 s, or the statement took
//! 4 s), [`Error::Unavailable`](crate::Error::Unavailable) and [`Error::Internal`](crate::Error::Internal) besides what
//! its own documentation names.

mod anonymise_bookings;
mod book;
mod cancel;
mod check;
mod confirm;
mod create_show;
mod decide_dispute;
mod due_show;
mod empty_payloads;
mod erase_subject;
mod expire;
mod export_subject;
mod extend;
mod get_booking;
mod get_show;
mod list_payments;
mod list_shows;
mod list_unreadable;
mod mark_anonymised;
mod oldest_snapshot;
mod record_payment;
mod replay_payment;
mod row;
mod set_holder_limits;
mod set_pools;
mod settle_payment;
mod sweep;

pub use anonymise_bookings::{Anonymised, anonymise_bookings};
pub use book::{Booked, Request as BookRequest, book, prepare_book};
pub use cancel::cancel;
pub use check::{CheckCursor, Rule, Violation, check, check_some};
pub use confirm::confirm;
pub use create_show::{CreatedShow, NewShow, create_show, create_show_once};
pub use decide_dispute::{DecidedDispute, decide_dispute};
pub use due_show::{DueShow, due_show};
pub use empty_payloads::{MAX_PAYLOADS, empty_payloads};
pub use erase_subject::{MAX_ERASED, erase_subject};
pub use expire::{Outcome as ExpireOutcome, expire};
pub use export_subject::{SubjectPage, export_subject};
pub use extend::extend;
pub use get_booking::get_booking;
pub use get_show::get_show;
pub use list_payments::{PaymentPage, list_payments};
pub use list_shows::{Page, list_shows};
pub use list_unreadable::{EventPage, list_unreadable};
pub use mark_anonymised::mark_anonymised;
pub use oldest_snapshot::{OldSnapshot, oldest_snapshot};
pub use record_payment::{Recorded, record_payment};
pub use replay_payment::{get_event, replay_payment};
pub use set_holder_limits::{LimitChange, set_holder_limits};
pub use set_pools::set_pools;
pub use settle_payment::{SettledPayment, settle_payment};
pub use sweep::{MAX_BATCH, due, sweep, sweep_except};

use crate::model::Booking;

/// A booking that is as the call asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The booking.
    pub booking: Booking,
    /// This call made it so. Else an earlier one did, and this was a repetition.
    pub changed: bool,
}
