//! Seats and their pools.

mod locked_pools;
mod pools;
