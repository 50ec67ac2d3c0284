//! Booking ids.

use boxoffice_shared::bookings::BookingId;
use uuid::Uuid;

use crate::number;

/// Input: an id's text. Its bytes are also used as the show id and UUID of a valid id.
pub fn booking_id(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        match text.parse::<BookingId>() {
            Ok(id) => check(text, id),
            Err(invalid) => assert!(invalid.to_string().len() <= 100, "{invalid}"),
        }
    }
    let show_id = number(data) % i64::MAX as u64 + 1;
    let mut bytes = [0; 16];
    data.iter().skip(8).zip(&mut bytes).for_each(|(from, to)| *to = *from);
    let uuid = Uuid::from_bytes(bytes);
    let text = format!("{show_id}-{uuid}");
    check(&text, text.parse().expect("an id"));
    // Every other text that means this UUID is another spelling.
    let (upper, text_of) =
        (uuid.to_string().to_uppercase(), |uuid: &dyn std::fmt::Display| format!("{show_id}-{uuid}"));
    let mut spellings =
        vec![text_of(&uuid.simple()), text_of(&uuid.braced()), text_of(&uuid.urn()), format!("0{text}")];
    spellings.extend([format!("+{text}"), format!("{text} ")]);
    if upper != uuid.to_string() {
        spellings.push(text_of(&upper));
    }
    for spelling in spellings {
        assert!(spelling.parse::<BookingId>().is_err(), "{spelling:?}");
    }
}

fn check(text: &str, id: BookingId) {
    assert_eq!(id.to_string(), text);
    assert_eq!(format!("{}-{}", id.show_id().get(), id.uuid()), text);
    assert!(id.show_id().get() > 0, "{text:?}");
    let json = serde_json::to_string(&id).expect("an id should serialise");
    assert_eq!(serde_json::from_str::<BookingId>(&json).expect("an id should deserialise"), id);
}
