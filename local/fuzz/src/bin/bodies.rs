//! The libFuzzer entry point of [`boxoffice_fuzz::bodies`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boxoffice_fuzz::bodies(data));
