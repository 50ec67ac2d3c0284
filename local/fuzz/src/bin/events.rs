//! The libFuzzer entry point of [`boxoffice_fuzz::events`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boxoffice_fuzz::events(data));
