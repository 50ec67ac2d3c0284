//! What all operations share: locks, retries, round trips, plans and database outages.

mod locks;
mod outages;
mod plans;
mod round_trips;
mod states;
