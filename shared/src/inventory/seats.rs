//! Numbers of seats and pools, as bounded integers.

use serde::Serialize;

use crate::{
    Invalid,
    platform::config::{Reader, Source},
};

/// Defines an `i32` type that only holds values within its bounds.
macro_rules! bounded {
    ($(#[$doc:meta])* $name:ident, $min:expr, $max:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        #[serde(transparent)]
        pub struct $name(i32);

        impl $name {
            /// The smallest allowed value.
            pub const MIN: i32 = $min;
            /// The largest allowed value.
            pub const MAX: i32 = $max;

            /// The value.
            pub fn get(self) -> i32 {
                self.0
            }
        }

        impl TryFrom<i64> for $name {
            type Error = Invalid;

            fn try_from(value: i64) -> Result<Self, Invalid> {
                match i32::try_from(value) {
                    Ok(value @ $min..=$max) => Ok(Self(value)),
                    _ => Err(Invalid::new(format!("must be an integer from {} to {}", $min, $max))),
                }
            }
        }
    };
}

bounded! {
    /// Number of seats in one booking, 1 to 1,000. A show may allow fewer.
    ///
    /// ```
    /// use boxoffice_shared::inventory::SeatCount;
    /// assert_eq!(SeatCount::try_from(2)?.get(), 2);
    /// assert!(SeatCount::try_from(0).is_err());
    /// assert!(SeatCount::try_from(3_000_000_000).is_err());
    /// # Ok::<(), boxoffice_shared::Invalid>(())
    /// ```
    SeatCount, 1, 1_000
}

bounded! {
    /// Number of seats of a show, 1 to 1,000,000: ten times the largest stadium.
    TotalSeats, 1, 1_000_000
}

bounded! {
    /// Limit on the seats of one show that a holder may have, 1 to 1,000,000.
    SeatLimit, 1, 1_000_000
}

bounded! {
    /// Number of pool rows that a show's free seats are spread over, 1 to 256.
    ///
    /// One pool is a plain row lock. With as many pools as concurrent bookings, the bookings commit in parallel.
    Pools, 1, 256
}

impl SeatCount {
    /// Seats that a show allows in one booking by default: 10.
    pub const DEFAULT_MAX: Self = Self(10);
}

/// Minimum number of seats that a pool starts with, unless an operator sets the number of pools: 16. With fewer,
/// bookings of several seats would soon find no pool that has them all, and would lock every pool.
const SEATS_PER_POOL: i32 = 16;

impl Pools {
    /// One pool: a plain row lock.
    pub const ONE: Self = Self(1);

    /// The number of pools for a show of this size with this many concurrent bookings: one pool for each, as long as
    /// every pool has at least 16 seats.
    ///
    /// ```
    /// use boxoffice_shared::inventory::{Pools, TotalSeats};
    /// let pools = |seats, writers| Ok::<_, boxoffice_shared::Invalid>(
    ///     Pools::for_show(TotalSeats::try_from(seats)?, Pools::try_from(writers)?).get());
    /// assert_eq!(pools(10, 256)?, 1);
    /// assert_eq!(pools(1_000, 256)?, 62);
    /// assert_eq!(pools(20_000, 256)?, 256);
    /// assert_eq!(pools(20_000, 50)?, 50);
    /// # Ok::<(), boxoffice_shared::Invalid>(())
    /// ```
    pub fn for_show(total_seats: TotalSeats, writers: Self) -> Self {
        Self((total_seats.get() / SEATS_PER_POOL).clamp(Self::MIN, writers.get()))
    }
}

impl<S: Source> Reader<'_, S> {
    /// Reads `EXPECTED_WRITERS`: the number of concurrent bookings of one show that a new show's pools are sized for, 1
    /// to 256, default 256.
    pub fn expected_writers(&mut self) -> Option<Pools> {
        let text = self.source.get("EXPECTED_WRITERS").unwrap_or_else(|| Pools::MAX.to_string());
        match text.parse::<i64>().map(Pools::try_from) {
            Ok(Ok(writers)) => Some(writers),
            _ => self.fault("EXPECTED_WRITERS must be an integer from 1 to 256.".into()),
        }
    }
}
