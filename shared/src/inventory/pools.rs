//! Statements on a show's pools that several operations are made of.

use tokio_postgres::types::Type;

use crate::platform::db::Statement;

/// Locks all pools of a show, by their numbers.
pub(crate) static LOCK_POOLS: Statement = Statement { sql: include_str!("lock_pools.sql"), types: &[Type::INT8] };

/// Spreads the free seats of a show, all of whose pools are locked, over so many pools.
pub(crate) static SPREAD_SEATS: Statement =
    Statement { sql: include_str!("spread.sql"), types: &[Type::INT8, Type::INT4] };
