//! Properties that every parser of untrusted input must keep for any bytes. Each fuzz target is one function: libFuzzer
//! calls it through a binary in `src/bin`, and the test below calls it with the seeds. A violated property is a panic.
//!
//! | target | what it parses | what must hold |
//! |---|---|---|
//! | [`stripe_signature`], [`standard_signature`] | webhook headers | a signature that verifies has the HMAC that we compute ourselves; a signature made with our key verifies |
//! | [`payment_events`] | webhook bodies | an event survives the queue, is bounded, and names a payment if it moves money |
//! | [`cursors`], [`booking_id`] | our own texts that clients send back | each value has one spelling |
//! | [`events`] | whole requests, as the gateway passes them on | each gets a response, without a panic and without a 5xx |
//! | [`bodies`] | clients' JSON | the accepted values are those in the body, without duplicate or unknown members; problem documents are bounded |
//!
//! `local/fuzz.sh` builds and runs them. Inputs of several parts are lines, so that seeds are readable.

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

/// Splits off the first line as text. Bytes that are not text cannot be a header: the HTTP layer refuses them.
fn line(data: &[u8]) -> Option<(&str, &[u8])> {
    let end = data.iter().position(|byte| *byte == b'\n')?;
    Some((std::str::from_utf8(&data[..end]).ok()?, &data[end + 1..]))
}

/// A number made of the input's first bytes, for values that random bytes seldom spell.
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
