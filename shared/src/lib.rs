//! The booking domain: shows, holds and bookings on Postgres, and the queue that times holds.
//!
//! There are no HTTP or Lambda types here. The way in is [`ops`]: one operation a file, its statement in a `.sql` file
//! beside it. An operation takes types of [`model`], which are valid by construction, and a [`db::Db`].
//!
//! # Invariants
//!
//! 1. For every show, the free seats of its pools and the seats of its `PENDING` and `CONFIRMED` bookings add up to
//!    its total. Both sides of that sum change in one statement, so no crash can part them.
//! 2. A booking leaves `PENDING` exactly once, and the seats that it took are given back at most once: each change locks
//!    the booking's row first and is guarded by the status that it then reads. Only a payment moves a booking on from
//!    there: a late one takes the seats of an expired booking again, and a refund, or an operator after a lost dispute, gives
//!    those of a confirmed one back, unless another payment of it is held.
//! 3. A booking that a caller was told of is committed: operations answer after the server reports the transaction's
//!    end, not after the statement's.
//! 4. A confirmation never succeeds on seats that were given back. The database's clock decides, read after the lock
//!    is held; no clock of a caller takes part.
//! 5. A payment whose success was received is exactly one of confirmed, refund due and refunded; or unclaimed, if it names no
//!    booking: its money is not ours to send back. A booking has at most one that is confirmed. A disputed payment is one of
//!    them besides. An event has its effect once, in the transaction that records it, and what is counted of a payment's
//!    refunds does not depend on the order in which they were told of.
//! 6. A booking is made only while its holder is within the show's limits, and a late payment confirms one only while its
//!    holder is within those for what one has in all: what the holder has is counted under the holder's lock, in the
//!    transaction that takes the seats, by a snapshot that is younger than the lock. Where a holder has so many
//!    bookings of a show that it is counted by triggers, the count is the sum of its `PENDING` and `CONFIRMED` bookings.
//! 7. An anonymised booking has no name, holder or key, and no event that tells of it has its payload, whichever came first.
//! 8. What an operation changes, it can answer with: the schema refuses each row that it changes and that the functions could not
//!    read, such as one with the clock `infinity`. A list leaves out what it cannot read, and says so.
//!
//! # Lock order
//!
//! The holder of a show, the payments of a booking and one payment (advisory locks; the first is taken by bookings and late
//! payments), then the payment's row and that of the payment that takes its place, then booking rows by `(show_id, id)`, then pool
//! rows by `(show_id, pool_no)`, then the rows of holders by `(show_id, holder)`, which triggers change when a booking is made or
//! changes. A show's own row comes before its pools. A
//! recorded event's row that is emptied comes last. An operator's replay of an event has its row first: where it meets an
//! erasure the server undoes one of the two, and it is run again.
//!
//! | operation | locks |
//! |---|---|
//! | [`ops::book`] | the holder of the show (the first time that it has many bookings these too, shared), then one pool; only when no single pool has the seats: all pools of the show |
//! | [`ops::confirm`] | one booking |
//! | [`ops::cancel`] | one booking, then one pool |
//! | [`ops::extend`] | one booking |
//! | [`ops::expire`] | the bookings of the batch, then the pools that their seats go to |
//! | [`ops::sweep`], [`ops::sweep_except`] | the same, but skip bookings that are locked |
//! | [`ops::set_pools`] | the show, then all of its pools |
//! | [`ops::record_payment`] | late, the holder; the payments of the booking, one payment, for a refund the one in its place, the booking; then one pool, or late all pools; at the end the booking, shared |
//! | [`ops::replay_payment`] | the event, then as `record_payment` |
//! | [`ops::set_holder_limits`] | the show |
//! | [`ops::settle_payment`] | one payment |
//! | [`ops::decide_dispute`] | the payments of the booking, one payment, the one that takes its place, the booking, then one pool |
//! | [`ops::anonymise_bookings`] | the bookings of the page but for those that are locked, then their events |
//! | [`ops::mark_anonymised`] | the show |
//! | [`ops::empty_payloads`] | the events of the batch but for those that are locked |
//! | [`ops::erase_subject`] | the bookings of the batch, then their events |
//! | reads, [`ops::check`] | nothing |
//!
//! Whatever makes or changes a booking of a holder that is counted (one with more than 32 of a show) has that holder's row of `holders`
//! last, by a trigger. Where a hold ends while its payment waits for the booking, the holder is tried without a wait, or else the
//! transaction is run again.
//!
//! No lock is held across a network round trip: an operation is one statement, or a pipelined transaction that reaches
//! the server as one message. [`ops::record_payment`], which must look again after each lock, is one call of a function
//! in the database.

pub mod aws;
pub mod config;
pub mod db;
pub mod deadline;
pub mod error;
pub mod fetch;
pub mod logging;
pub mod metrics;
pub mod model;
pub mod ops;
pub mod queue;
pub mod refreshed;
pub mod secret;
pub mod start;
pub mod tls;

pub use error::Error;
