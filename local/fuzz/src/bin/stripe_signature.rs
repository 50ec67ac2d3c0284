//! The libFuzzer entry point of [`boxoffice_fuzz::stripe_signature`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boxoffice_fuzz::stripe_signature(data));
