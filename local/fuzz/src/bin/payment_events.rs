//! The libFuzzer entry point of [`boxoffice_fuzz::payment_events`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boxoffice_fuzz::payment_events(data));
