//! libFuzzer's entry: any bytes, one property.

#![no_main]

#[path = "../callsites.rs"]
mod callsites;
#[path = "../property.rs"]
mod property;
#[path = "../values.rs"]
mod values;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    property::check(input);
});
