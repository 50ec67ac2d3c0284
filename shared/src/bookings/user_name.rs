//! The name of the person who books.

use std::fmt;

use crate::platform::text::name;

name! {
    /// The name of the person who books. Personal data: never put it in a log, metric or trace. Its `Debug` output
    /// hides it.
    UserName
}

impl fmt::Debug for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserName")
    }
}
