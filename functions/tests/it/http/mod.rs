//! HTTP requests of any shape and their answers.

mod callers;
mod cursors;
mod events;
mod location;
mod methods;
mod unreadable_rows;
