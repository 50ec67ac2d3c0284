//! The booking domain: shows, holds and bookings on Postgres, and the queue that times holds.
//!
//! There are no HTTP or Lambda types here. Code is grouped by capability: a type, its operations and their statements live in one
//! room. An operation is a file, its statement a `.sql` file beside it. It takes values that are valid by construction and a
//! [`platform::db::Db`].
//!
//! Arrows point one way: `payments`, `privacy` and `checks` use `bookings`; `bookings` uses `shows` and `holders`; `shows` uses
//! `inventory`, `holders` and `money`. All of them use [`platform`], which uses none of them.
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
//! | [`bookings::book`] | the holder of the show (the first time that it has many bookings these too, shared), then one pool; only when no single pool has the seats: all pools of the show |
//! | [`bookings::confirm`] | one booking |
//! | [`bookings::cancel`] | one booking, then one pool |
//! | [`bookings::extend`] | one booking |
//! | [`bookings::expire`] | the bookings of the batch, then the pools that their seats go to |
//! | [`bookings::sweep`], [`bookings::sweep_except`] | the same, but skip bookings that are locked |
//! | [`shows::set_pools`] | the show, then all of its pools |
//! | [`payments::record`] | late, the holder; the payments of the booking, one payment, for a refund the one in its place, the booking; then one pool, or late all pools; at the end the booking, shared |
//! | [`payments::replay`] | the event, then as `payments::record` |
//! | [`shows::set_holder_limits`] | the show |
//! | [`payments::settle`] | one payment |
//! | [`payments::decide_dispute`] | the payments of the booking, one payment, the one that takes its place, the booking, then one pool |
//! | [`privacy::anonymise`] | the bookings of the page but for those that are locked, then their events |
//! | [`privacy::mark_anonymised`] | the show |
//! | [`privacy::empty_payloads`] | the events of the batch but for those that are locked |
//! | [`privacy::erase`] | the bookings of the batch, then their events |
//! | reads, [`checks::check`] | nothing |
//!
//! Whatever makes or changes a booking of a holder that is counted (one with more than 32 of a show) has that holder's row of `holders`
//! last, by a trigger. Where a hold ends while its payment waits for the booking, the holder is tried without a wait, or else the
//! transaction is run again.
//!
//! No lock is held across a network round trip: an operation is one statement, or a pipelined transaction that reaches
//! the server as one message. [`payments::record`], which must look again after each lock, is one call of a function
//! in the database.

pub mod bookings;
pub mod checks;
pub mod error;
pub mod holders;
pub mod inventory;
pub mod metrics;
pub mod money;
pub mod page;
pub mod payments;
pub mod platform;
pub mod privacy;
pub mod shows;

pub use error::Error;
pub use platform::Invalid;
