//! Bookings: book, confirm, cancel, extend, expire and sweep.

mod clocks;
mod model;
mod operations;
mod races;
mod settlement;
mod simple;
mod steps;
mod sweep;
mod twice;
