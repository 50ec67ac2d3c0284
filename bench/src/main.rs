//! Boxoffice.
fn main() {}
