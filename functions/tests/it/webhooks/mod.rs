//! Webhooks of payment providers.

mod answers;
mod events;
mod outages;
mod signatures;
mod stripe_amounts;
mod stripe_payments;
mod stripe_scope;
