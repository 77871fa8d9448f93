//! See `fuzz/src/decoder.rs`.
#![no_main]

#[path = "../src/decoder.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::decoder(data));
