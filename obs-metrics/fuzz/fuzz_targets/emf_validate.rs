//! libFuzzer's entry: any bytes, one property.

#![no_main]

#[path = "../property.rs"]
mod property;
#[path = "../tree.rs"]
mod tree;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    // What it says is not asked here; what does not hold panics.
    let _ = property::check(input);
});
