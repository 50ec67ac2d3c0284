//! The booking domain: shows, holds, bookings and payments on Postgres, and the queue that times holds.
//!
//! This crate has no HTTP or Lambda types. Code is grouped by capability: a type, its operations and their SQL
//! statements live in one folder. Each operation is one file, with its statement in a `.sql` file beside it. An
//! operation takes a [`platform::db::Db`] and values that are valid by construction.
//!
//! Dependencies point one way:
//!
//! - `payments`, `privacy` and `checks` use `bookings`;
//! - `bookings` uses `shows` and `holders`;
//! - `shows` uses `inventory`, `holders` and `money`;
//! - all of them use [`platform`], which uses none of them.
//!
//! # Invariants
//!
//! 1. **Seats add up.** For every show, the free seats of its pools plus the seats of its `PENDING` and `CONFIRMED`
//!    bookings equal its total. One statement changes both sides of this sum, so a crash cannot leave one side changed.
//! 2. **There is one way out of `PENDING`.** A booking leaves `PENDING` exactly once, and the seats that it took are
//!    released at most once: every change locks the booking's row first and then checks the status that it reads under
//!    that lock. After that, only payments change the booking. A late payment takes the seats of an expired booking
//!    again. A refund, or an operator after a lost dispute, releases the seats of a confirmed booking, unless another
//!    payment held for the booking takes over.
//! 3. **An answer means a commit.** An operation returns a booking only after the server reports that the transaction
//!    ended, not just the statement.
//! 4. **No confirmation on released seats.** A confirmation never succeeds on seats that were released. The database's
//!    clock decides, read after the lock is held. No caller's clock is used.
//! 5. **Each payment has one outcome.** A payment whose success we received is exactly one of confirmed, refund due or
//!    refunded. If it names no booking, it is unclaimed: its money is not ours to send back. A booking has at most one
//!    confirmed payment. A dispute is recorded in addition to these states. Each event takes effect once, in the
//!    transaction that records it. The refund total of a payment does not depend on the order in which its refunds were
//!    reported.
//! 6. **Holders stay within their limits.** A booking is made only while its holder is within the show's limits. A late
//!    payment confirms a booking only while its holder is within the limit on seats in total. The holder's seats are
//!    counted under the holder's lock, in the transaction that takes the seats, from a snapshot taken after the lock.
//!    If a holder has so many bookings of a show that triggers keep a count, that count equals the seats of its
//!    `PENDING` and `CONFIRMED` bookings.
//! 7. **Anonymised bookings stay anonymous.** An anonymised booking has no name, holder or idempotency key. No event
//!    about it keeps its payload, whether the event or the anonymisation came first.
//! 8. **A changed row can be read.** An operation can always return the row that it changed: the schema rejects any
//!    change that leaves a row the code cannot read, such as one with the timestamp `infinity`. A list skips rows that
//!    it cannot read, and reports each one.
//!
//! # Lock order
//!
//! Transactions take their locks in this order. Each operation needs only some of them.
//!
//! 1. The holder of the show (advisory lock). Bookings and late payments take it.
//! 2. The payments of one booking (advisory lock).
//! 3. One payment (advisory lock).
//! 4. The payment's row, then the row of the payment that takes its place.
//! 5. Booking rows, by `(show_id, id)`.
//! 6. Pool rows, by `(show_id, pool_no)`. If the show's own row is locked too, it comes before its pools.
//! 7. Rows of `holders`, by `(show_id, holder)`. Triggers change them when a booking is made or changed.
//! 8. The rows of payment events whose payload is emptied.
//!
//! The exception is an operator's replay of an event, which locks the event's row first. If it deadlocks with an
//! erasure, the server aborts one of the two, and that one is retried.
//!
//! | operation | locks, in order |
//! |---|---|
//! | [`bookings::book`] | the holder of the show, its bookings (shared; only the first time that it has many), one pool (all pools of the show if no single pool has the seats) |
//! | [`bookings::confirm`] | one booking |
//! | [`bookings::cancel`] | one booking, one pool |
//! | [`bookings::extend`] | one booking |
//! | [`bookings::expire`] | the bookings of the batch, the pools that receive their seats |
//! | [`bookings::sweep`], [`bookings::sweep_except`] | as `expire`, but skips locked bookings |
//! | [`shows::set_pools`] | the show, all of its pools |
//! | [`shows::set_holder_limits`] | the show |
//! | [`payments::record`] | the holder (late payments only), the payments of the booking, one payment, the payment that takes its place (refunds only), the booking, one pool (late payments: or all pools); at the end the booking (shared) |
//! | [`payments::replay`] | the event, then as `record` |
//! | [`payments::settle`] | one payment |
//! | [`payments::decide_dispute`] | the payments of the booking, one payment, the payment that takes its place, the booking, one pool |
//! | [`privacy::anonymise`] | the bookings of the page that nobody else has locked, their events |
//! | [`privacy::mark_anonymised`] | the show |
//! | [`privacy::empty_payloads`] | the events of the batch that nobody else has locked |
//! | [`privacy::erase`] | the bookings of the batch, their events |
//! | reads, [`checks::check`] | none |
//!
//! A holder with more than 32 bookings of a show is counted: a trigger updates its row of `holders`, as the last lock,
//! whenever one of its bookings is made or changed.
//!
//! If a hold ends while its payment waits for the booking, the transaction tries to lock the holder without waiting. If
//! the lock is taken, the transaction is retried.
//!
//! No lock is held across a network round trip. An operation is one statement, or a pipelined transaction that reaches
//! the server as one message. [`payments::record`] must look again after each lock, so it is one call of a database
//! function.

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
