//! Seats and pools.

mod locked_pools;
mod pools;
