//! The confirm binary, told of payments.

mod answers;
mod outages;
mod stripe_payments;
mod stripe_scope;
