//! Bookings: hold seats, extend, confirm, cancel and expire the hold, and the queue that times it.
//!
//! One operation a file, its statement in a `.sql` file beside it. Every operation may answer
//! [`Error::Busy`](crate::Error::Busy) (a lock was not had within 2 s, or the statement took 4 s),
//! [`Error::Unavailable`](crate::Error::Unavailable) and [`Error::Internal`](crate::Error::Internal) besides what its own
//! documentation names. So do the operations of the other capabilities.

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
pub use booking::{Booking, BookingStatus, FailureReason, Settled};
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
