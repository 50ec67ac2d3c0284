//! Bookings: hold seats, extend, confirm, cancel and expire holds, and the queue that times them.
//!
//! Each operation is one file, with its statement in a `.sql` file beside it. In addition to the errors it documents,
//! every operation, here and in the other capabilities, can return [`Error::Busy`](crate::Error::Busy) (a lock was not
//! available within 2 s, or the statement took longer than 4 s), [`Error::Unavailable`](crate::Error::Unavailable) and
//! [`Error::Internal`](crate::Error::Internal).

mod book;
mod booking;
mod booking_id;
mod cancel;
mod confirm;
mod expire;
mod extend;
mod get;
mod hold;
mod hold_queue;
mod sweep;
mod user_name;

pub use book::{Booked, Request as BookRequest, book, prepare_book};
pub use booking::{Booking, BookingStatus, Changed, FailureReason};
pub use booking_id::BookingId;
pub use cancel::cancel;
pub use confirm::confirm;
pub use expire::{Outcome as ExpireOutcome, expire};
pub use extend::extend;
pub use get::get;
pub use hold::Hold;
pub use hold_queue::{HoldMessage, HoldQueue};
pub use sweep::{MAX_BATCH, due, sweep, sweep_except};
pub use user_name::UserName;
