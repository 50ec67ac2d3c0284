//! Names that people type.

use std::fmt;

use serde::Serialize;

use super::Invalid;

/// A name's greatest length, in characters (Unicode scalar values, as Postgres counts them).
const MAX_CHARS: usize = 200;

/// Makes a text type of 1 to 200 characters, kept as it was typed.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The text as it was typed.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<&str> for $name {
            type Error = Invalid;

            fn try_from(text: &str) -> Result<Self, Invalid> {
                checked(text).map(Self)
            }
        }
    };
}

name! {
    /// Who booked. Personal data: it belongs in no log, metric or trace, and its `Debug` shows nothing of it.
    UserName
}

name! {
    /// What a show is called.
    ShowName
}

impl fmt::Debug for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserName")
    }
}

impl fmt::Debug for ShowName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShowName({:?})", self.0)
    }
}

fn checked(text: &str) -> Result<String, Invalid> {
    if text.trim().is_empty() || text.chars().nth(MAX_CHARS).is_some() {
        return Err(Invalid::new(format!("must be text of 1 to {MAX_CHARS} characters and not blank")));
    }
    // Postgres cannot store NUL, and no control character belongs in a name that is printed on a ticket.
    if text.chars().any(char::is_control) {
        return Err(Invalid::new("must not contain control characters"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_is_counted_in_characters() {
        assert!(UserName::try_from("ä".repeat(200).as_str()).is_ok());
        assert!(UserName::try_from("ä".repeat(201).as_str()).is_err());
    }

    #[test]
    fn blank_and_control_characters_are_refused() {
        for text in ["", " ", "\t\n", "a\0b", "a\nb", "a\u{9f}b"] {
            assert!(UserName::try_from(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn text_is_kept_as_it_was_typed() {
        let text = " O'Brien; DROP TABLE bookings; -- 🎟️ ";
        assert_eq!(UserName::try_from(text).map(|name| name.as_str().to_owned()).as_deref(), Ok(text));
    }
}
