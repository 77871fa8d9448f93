//! See `fuzz/src/sdp.rs`.
#![no_main]

#[path = "../src/sdp.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::sdp(data));
