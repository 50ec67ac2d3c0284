//! Statements on a show's pools that several operations share.

use tokio_postgres::types::Type;

use crate::platform::db::Statement;

/// Locks all pools of a show, by number.
pub(crate) static LOCK_POOLS: Statement = Statement { sql: include_str!("lock_pools.sql"), types: &[Type::INT8] };

/// Spreads a show's free seats over this many pools. The transaction must have locked all of them.
pub(crate) static SPREAD_SEATS: Statement =
    Statement { sql: include_str!("spread.sql"), types: &[Type::INT8, Type::INT4] };
