//! The libFuzzer entry point of [`boxoffice_fuzz::booking_id`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boxoffice_fuzz::booking_id(data));
