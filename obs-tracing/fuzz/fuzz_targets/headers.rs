//! libFuzzer's entry: any bytes, one property.

#![no_main]

#[path = "../headers_property.rs"]
mod headers_property;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    // What it led to is not asked here; what does not hold panics.
    let _ = headers_property::check(input);
});
