//! Values of which each may be missing, and which are of use only together.

/// A value or a tuple of values, each of which may be missing.
///
/// Whoever reads several inputs reads all of them, so that every fault is found, and only then asks whether all are there:
///
/// ```
/// use boxoffice_shared::platform::all::All;
/// assert_eq!((Some(1), Some("a")).all(), Some((1, "a")));
/// assert_eq!((Some(1), None::<&str>).all(), None);
/// ```
pub trait All {
    /// The values, none of them missing.
    type Values;

    /// All values; `None` if one is missing.
    fn all(self) -> Option<Self::Values>;
}

impl<T> All for Option<T> {
    type Values = T;

    fn all(self) -> Option<T> {
        self
    }
}

macro_rules! tuples {
    ($(($($value:ident)+))+) => {$(
        impl<$($value),+> All for ($(Option<$value>,)+) {
            type Values = ($($value,)+);

            #[allow(non_snake_case, reason = "each value is named as its type is")]
            fn all(self) -> Option<Self::Values> {
                let ($($value,)+) = self;
                Some(($($value?,)+))
            }
        }
    )+};
}

// As many as the longest list that is read has.
tuples! {
    (A B)
    (A B C)
    (A B C D)
    (A B C D E)
    (A B C D E F)
    (A B C D E F G)
    (A B C D E F G H)
}
