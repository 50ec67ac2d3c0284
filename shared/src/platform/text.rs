//! Texts from outside: names that people enter, and ids that clients and providers choose.

use std::ops::RangeInclusive;

use super::Invalid;

/// The maximum length of a name, in characters (Unicode scalar values, as Postgres counts them).
const MAX_CHARS: usize = 200;

/// Defines a text type of 1 to 200 characters, stored exactly as entered.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, serde::Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The text exactly as entered.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<&str> for $name {
            type Error = $crate::Invalid;

            fn try_from(text: &str) -> Result<Self, $crate::Invalid> {
                $crate::platform::text::checked(text).map(Self)
            }
        }
    };
}

pub(crate) use name;

/// Returns the text if it is an id: 1 to 255 visible ASCII characters.
///
/// # Errors
/// It is not.
pub(crate) fn visible_ascii(text: &str) -> Result<String, Invalid> {
    if (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err(Invalid::new("must be 1 to 255 visible ASCII characters"))
    }
}

/// Returns the text if it is a valid name.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn checked(text: &str) -> Result<String, Invalid> {
    if text.chars().nth(MAX_CHARS).is_some() || !text.chars().any(is_visible) {
        return Err(Invalid::new(format!("must be text of 1 to {MAX_CHARS} characters, at least one of them visible")));
    }
    // Postgres cannot store NUL, and no control character belongs in a printed name. Direction
    // marks are allowed: phones put them around copied names. Code that shows a name must isolate it.
    if text.chars().any(char::is_control) {
        return Err(Invalid::new("must not contain control characters"));
    }
    Ok(text.to_owned())
}

/// Whether a reader sees this character. Characters that Unicode has not assigned yet count as visible: they may become
/// letters.
fn is_visible(c: char) -> bool {
    !c.is_whitespace() && !c.is_control() && !INVISIBLE.iter().any(|range| range.contains(&c))
}

/// Characters that are invisible on their own but may belong in a name: joiners, direction marks, variation selectors.
/// These are Unicode's Default_Ignorable_Code_Point (`DerivedCoreProperties.txt`; it seldom grows, and then from
/// reserved ranges that are included here). The last four ranges are blank without being white space in Unicode: the
/// Braille pattern without dots, annotation anchors, a note without a head, and hieroglyph joiners.
const INVISIBLE: [RangeInclusive<char>; 21] = [
    '\u{ad}'..='\u{ad}',
    '\u{34f}'..='\u{34f}',
    '\u{61c}'..='\u{61c}',
    '\u{115f}'..='\u{1160}',
    '\u{17b4}'..='\u{17b5}',
    '\u{180b}'..='\u{180f}',
    '\u{200b}'..='\u{200f}',
    '\u{202a}'..='\u{202e}',
    '\u{2060}'..='\u{206f}',
    '\u{3164}'..='\u{3164}',
    '\u{fe00}'..='\u{fe0f}',
    '\u{feff}'..='\u{feff}',
    '\u{ffa0}'..='\u{ffa0}',
    '\u{fff0}'..='\u{fff8}',
    '\u{1bca0}'..='\u{1bca3}',
    '\u{1d173}'..='\u{1d17a}',
    '\u{e0000}'..='\u{e0fff}',
    '\u{2800}'..='\u{2800}',
    '\u{fff9}'..='\u{fffb}',
    '\u{1d159}'..='\u{1d159}',
    '\u{13430}'..='\u{1343f}',
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_is_counted_in_characters() {
        assert!(checked("ä".repeat(200).as_str()).is_ok());
        assert!(checked("ä".repeat(201).as_str()).is_err());
    }

    #[test]
    fn blank_and_control_characters_are_refused() {
        for text in ["", " ", "\t\n", "a\0b", "a\nb", "a\u{9f}b"] {
            assert!(checked(text).is_err(), "{text:?}");
        }
    }

    /// All characters.
    fn all() -> impl Iterator<Item = char> {
        '\0'..=char::MAX
    }

    fn is_taken(text: &str) -> bool {
        checked(text).is_ok()
    }

    #[test]
    fn a_name_without_a_visible_character_is_refused() {
        let invisible: Vec<char> = INVISIBLE.iter().cloned().flatten().collect();
        for c in &invisible {
            assert!(!is_taken(&c.to_string()), "{c:?}");
            assert!(!is_taken(&format!(" {c}{c}\u{a0}")), "{c:?}");
        }
        for chars in invisible.chunks(MAX_CHARS) {
            assert!(!is_taken(&chars.iter().collect::<String>()), "{chars:?}");
        }
        for blank in all().filter(|c| c.is_whitespace()) {
            assert!(!is_taken(&format!("{blank}\u{200d}")), "{blank:?}");
        }
    }

    #[test]
    fn a_name_in_any_script_is_accepted() {
        let letters = all().filter(|c| c.is_alphanumeric() && is_visible(*c));
        let mut count = 0;
        for letter in letters {
            // Alone; with marks above and below; between joiners and direction marks, as in Persian and Sinhala; with a
            // variation selector, as in Mongolian and rare ideographs.
            for name in [
                letter.to_string(),
                format!("{letter}\u{301}\u{323}\u{20dd}"),
                format!("{letter}\u{200c}{letter}\u{200d}{letter}\u{200f}"),
                format!("{letter}\u{fe00}\u{e0100}\u{180b}"),
            ] {
                assert!(is_taken(&name), "{name:?}");
            }
            count += 1;
        }
        assert!(count > 130_000, "{count}");
    }

    #[test]
    fn joined_emoji_are_accepted() {
        let people = ['\u{1f468}', '\u{1f469}', '\u{1f9d1}'];
        let tones: Vec<_> = ('\u{1f3fb}'..='\u{1f3ff}').map(Some).chain([None]).collect();
        let things = ["\u{2764}\u{fe0f}", "\u{1f692}", "\u{2695}\u{fe0f}", "\u{1f9b0}"];
        for person in people {
            for tone in &tones {
                for thing in things {
                    let tone = tone.map(String::from).unwrap_or_default();
                    let joined = format!("{person}{tone}\u{200d}{thing}\u{200d}{person}{tone}");
                    assert!(is_taken(&joined), "{joined}");
                }
            }
        }
        // A keycap, a flag of two letters, and Scotland's flag, whose letters are tags.
        for flag in [
            "1\u{fe0f}\u{20e3}",
            "\u{1f1e9}\u{1f1ea}",
            "\u{1f3f4}\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
        ] {
            assert!(is_taken(flag), "{flag}");
        }
    }

    #[test]
    fn text_is_stored_as_entered() {
        let text = " O'Brien; DROP TABLE bookings; -- 🎟️ ";
        assert_eq!(checked(text).as_deref(), Ok(text));
    }
}
