//! The confirm binary and payment events.

mod answers;
mod outages;
mod stripe_payments;
mod stripe_scope;
