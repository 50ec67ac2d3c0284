//! Bookings: made, confirmed, cancelled, extended, expired and swept.

mod clocks;
mod model;
mod operations;
mod races;
mod settlement;
mod simple;
mod steps;
mod sweep;
mod twice;
