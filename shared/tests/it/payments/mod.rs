//! Payments, refunds and disputes.

mod damage;
mod disputes;
mod late;
mod prices;
mod races;
mod record;
mod refunds;
mod replay;
