//! What one holder may have.

mod counts;
mod limits;
