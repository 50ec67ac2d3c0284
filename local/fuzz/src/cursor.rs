//! Page cursors.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use boxoffice_shared::{
    page::Position,
    payments::{EventCursor, PaymentCursor},
    privacy::SubjectCursor,
    shows::ShowCursor,
};

use crate::number;

/// The last microsecond of the year 9999, the maximum of a timestamp, less a day for time zones.
const MAX_MICROSECONDS: u64 = 253_402_207_200_000_000 - 86_400_000_000;

/// Input: a cursor's text. Its bytes are also used as the numbers of a valid cursor.
pub fn cursors(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for text in [&*text, &URL_SAFE_NO_PAD.encode(data)] {
        one_spelling::<ShowCursor>(text);
        one_spelling::<PaymentCursor>(text);
        one_spelling::<EventCursor>(text);
        one_spelling::<SubjectCursor>(text);
    }
    let microseconds = (number(data) % MAX_MICROSECONDS + 1).to_string();
    let id = (number(data.get(8..).unwrap_or_default()) % i64::MAX as u64 + 1).to_string();
    written::<ShowCursor>(&[&microseconds, &id], &text);
    written::<PaymentCursor>(&[&microseconds, "stripe", &id], &text);
    written::<EventCursor>(&[&microseconds, "standard", &id], &text);
    // A provider's id may contain any visible character.
    let id: String = data.iter().take(255).map(|byte| char::from(b'!' + byte % 94)).collect();
    if !id.is_empty() {
        written::<PaymentCursor>(&[&microseconds, "stripe", &id], "refund_due");
    }
}

/// A valid cursor has one spelling. The error of an invalid one does not grow with the text.
fn one_spelling<P: Position>(text: &str) {
    match P::read(text, "") {
        Ok(position) => assert_eq!(position.cursor(""), text),
        Err(invalid) => assert!(invalid.to_string().len() <= 100, "{invalid}"),
    }
}

/// A cursor of these values is safe in a URL, valid for its own list and filter, and for no other.
fn written<P: Position>(values: &[&str], filter: &str) {
    let cursor = P::of(values).expect("a position").cursor(filter);
    assert!(cursor.len() <= 500 && cursor.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)), "{cursor}");
    let read = P::read(&cursor, filter).expect("a written cursor should be readable");
    assert_eq!(read.values(), values);
    assert!(P::read(&cursor, &format!("{filter} ")).is_err());
    assert_eq!(ShowCursor::read(&cursor, filter).is_ok(), P::LIST == ShowCursor::LIST);
    assert_eq!(SubjectCursor::read(&cursor, filter).is_ok(), P::LIST == SubjectCursor::LIST);
}
