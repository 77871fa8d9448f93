//! See `fuzz/src/ice.rs`.
#![no_main]

#[path = "../src/ice.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::ice(data));
