//! What must hold of everything that parses what strangers send, for any bytes at all. One function a fuzz target;
//! libFuzzer calls them by the binaries in `src/bin`, and the test here with the seeds. A property that does not hold is
//! a panic.
//!
//! | target | what it parses | what must hold |
//! |---|---|---|
//! | [`stripe_signature`], [`standard_signature`] | headers of webhooks | what verifies carries the HMAC that we compute ourselves; what our key signed verifies |
//! | [`payment_events`] | bodies of webhooks | an event survives the queue, is bounded, and names a payment if it moves money |
//! | [`cursors`], [`booking_id`] | texts of ours that come back | one value, one spelling |
//! | [`events`] | whole requests, as the gateway hands them over | each is answered, without a panic and without a 5xx |
//! | [`bodies`] | JSON of clients | what is accepted is what was written, no member doubled or unknown; what is told of a refusal is bounded |
//!
//! `local/fuzz.sh` builds and runs them. Inputs of several parts are lines, so that a seed can be read.

mod body;
mod booking_id;
mod cursor;
mod event;
mod request;
mod signature;
mod standard;
mod stripe;

pub use body::bodies;
pub use booking_id::booking_id;
pub use cursor::cursors;
pub use event::payment_events;
pub use request::events;
pub use standard::standard_signature;
pub use stripe::stripe_signature;

/// The first line, as text, and what comes after it. What is no text is no header: the HTTP layer refuses it.
fn line(data: &[u8]) -> Option<(&str, &[u8])> {
    let end = data.iter().position(|byte| *byte == b'\n')?;
    Some((std::str::from_utf8(&data[..end]).ok()?, &data[end + 1..]))
}

/// Of the input's first bytes a number, for values that bytes seldom spell.
fn number(data: &[u8]) -> u64 {
    data.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    type Target = (&'static str, fn(&[u8]));

    const TARGETS: [Target; 7] = [
        ("stripe-signature", super::stripe_signature),
        ("standard-signature", super::standard_signature),
        ("payment-events", super::payment_events),
        ("cursors", super::cursors),
        ("booking-id", super::booking_id),
        ("bodies", super::bodies),
        ("events", super::events),
    ];

    #[test]
    fn the_properties_hold_for_every_seed() {
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
        assert_eq!(fs::read_dir(&seeds).unwrap().count(), TARGETS.len(), "a folder of seeds for each target");
        for (name, target) in TARGETS {
            let files: Vec<_> = fs::read_dir(seeds.join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
            assert!(!files.is_empty(), "{name} has no seeds");
            files.iter().for_each(|file| target(&fs::read(file).unwrap()));
        }
    }
}
