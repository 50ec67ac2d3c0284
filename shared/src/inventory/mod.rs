//! Seats of a show, and the pools that its free seats are in.

mod pools;
mod seats;

pub(crate) use pools::{LOCK_POOLS, SPREAD_SEATS};
pub use seats::{Pools, SeatCount, SeatLimit, TotalSeats};
