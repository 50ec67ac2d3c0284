//! The name of whoever books.

use std::fmt;

use crate::platform::text::name;

name! {
    /// Who booked. Personal data: it belongs in no log, metric or trace, and its `Debug` shows nothing of it.
    UserName
}

impl fmt::Debug for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserName")
    }
}
