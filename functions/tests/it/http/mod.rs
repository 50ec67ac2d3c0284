//! Requests of any shape, and what is answered.

mod callers;
mod cursors;
mod events;
mod location;
mod methods;
mod unreadable_rows;
