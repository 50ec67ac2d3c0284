//! What the payment providers sign and send.

mod events;
mod signatures;
mod stripe_amounts;
