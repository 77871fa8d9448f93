//! See `fuzz/src/ear.rs`.
#![no_main]

#[path = "../src/ear.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::ear(data));
