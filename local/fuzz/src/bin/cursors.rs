//! The libFuzzer entry point of [`boxoffice_fuzz::cursors`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boxoffice_fuzz::cursors(data));
