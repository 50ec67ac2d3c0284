//! Amounts, currencies and prices.

mod amount;
mod currency;

pub use amount::{Money, Price};
pub(crate) use amount::{amount_members, price_members};
pub use currency::Currency;
