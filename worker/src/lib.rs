//! The workers' Lambdas: they expire holds, apply queued payment events, and remove old personal data.
//!
//! | Lambda | trigger |
//! |---|---|
//! | [`expire_holds`] | the hold queue: a message for each hold, when it expires |
//! | [`sweep_holds`] | a schedule, every minute: expired holds whose message did not arrive |
//! | [`confirm_payments`] | the payments queue: events that the database could not take when they arrived |
//! | [`anonymise_bookings`] | a schedule, every hour: bookings of shows that ended long ago |

pub mod anonymise_bookings;
mod batch;
pub mod confirm_payments;
pub mod expire_holds;
pub mod run;
pub mod sweep_holds;
