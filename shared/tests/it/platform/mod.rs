//! What all operations share: locks, retries, round trips, plans, and a database that fails.

mod locks;
mod outages;
mod plans;
mod round_trips;
mod states;
