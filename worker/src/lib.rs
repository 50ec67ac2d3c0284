//! The workers' Lambdas, which give back the seats of holds that ended, do what payments ask for, and forget who booked.
//!
//! | Lambda | trigger |
//! |---|---|
//! | [`expire_holds`] | the hold queue: a message for each hold, when it is over |
//! | [`sweep_holds`] | a schedule, every minute: holds whose message never came |
//! | [`confirm_payments`] | the payments queue: events that the database could not take when they came |
//! | [`anonymise_bookings`] | a schedule, every hour: bookings whose show is long over |

pub mod anonymise_bookings;
mod batch;
pub mod confirm_payments;
pub mod expire_holds;
pub mod run;
pub mod sweep_holds;
