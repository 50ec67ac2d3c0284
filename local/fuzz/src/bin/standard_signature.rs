//! The libFuzzer entry point of [`boxoffice_fuzz::standard_signature`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boxoffice_fuzz::standard_signature(data));
