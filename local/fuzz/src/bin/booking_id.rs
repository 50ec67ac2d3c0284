//! libFuzzer's way into [`boxoffice_fuzz::booking_id`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| boxoffice_fuzz::booking_id(data));
