//! Counts of seats and of the pools that hold them.

use serde::Serialize;

use super::Invalid;

/// Makes a bounded `i32` whose bounds are part of its type.
macro_rules! bounded {
    ($(#[$doc:meta])* $name:ident, $min:expr, $max:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        #[serde(transparent)]
        pub struct $name(i32);

        impl $name {
            /// The least allowed value.
            pub const MIN: i32 = $min;
            /// The greatest allowed value.
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
    /// Seats of one booking, 1 to 1,000. A show may allow fewer.
    ///
    /// ```
    /// use boxoffice_shared::model::SeatCount;
    /// assert_eq!(SeatCount::try_from(2)?.get(), 2);
    /// assert!(SeatCount::try_from(0).is_err());
    /// assert!(SeatCount::try_from(3_000_000_000).is_err());
    /// # Ok::<(), boxoffice_shared::model::Invalid>(())
    /// ```
    SeatCount, 1, 1_000
}

bounded! {
    /// Seats of a show, 1 to 1,000,000: ten times the largest stadium.
    TotalSeats, 1, 1_000_000
}

bounded! {
    /// Pool rows that a show's free seats are spread over, 1 to 256.
    ///
    /// One is a plain row lock. As many as there are bookings at once lets them commit side by side.
    Pools, 1, 256
}

impl SeatCount {
    /// What a show allows in one booking unless it says otherwise: 10 seats.
    pub const DEFAULT_MAX: Self = Self(10);
}

impl Pools {
    /// One pool: a plain row lock.
    pub const ONE: Self = Self(1);
}
